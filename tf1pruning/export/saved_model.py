"""Format `saved_model`, with the network's signature, made without a session."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_model_pb2

from tf1pruning import files
from tf1pruning.ckpt import writer
from tf1pruning.export import session as session_lib
from tf1pruning.export.format import Format, Network
from tf1pruning.graph.meta_graphs import saved_model, signature
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.surgery import weights


class SavedModelFormat(Format):
    """The folder `saved_model`."""

    name = 'saved_model'
    file = 'saved_model'

    def write(self, folder: str, network: Network, target: str) -> None:
        """See `Format.write`."""
        root = os.path.join(folder, self.file)
        variables = os.path.join(root, saved_model.VARIABLES_PREFIX)
        os.makedirs(os.path.dirname(variables))
        if network.graph.variables:
            arrays = weights.CheckpointArrays(network.graph, network.arrays)
            writer.save(os.path.dirname(variables), variables, arrays, None)
        graph = signature.meta_graph_of(network.graph, network.signatures)
        proto = saved_model_pb2.SavedModel(saved_model_schema_version=1)
        proto.meta_graphs.add().CopyFrom(graph)
        with open(os.path.join(root, saved_model.SAVED_MODEL_FILE), 'wb') as file:
            file.write(proto.SerializeToString())

    def answers(
        self,
        folder: str,
        outputs: Sequence[str],
        feeds: Mapping[str, np.ndarray],
        limits: RunLimits = STRICT,
    ) -> List[np.ndarray]:
        """Loads the SavedModel as a server does and runs it."""
        path = os.path.join(folder, self.file)

        def load(session: tf.Session) -> None:
            tags = [tf.saved_model.tag_constants.SERVING]
            tf.saved_model.loader.load(session, tags, path)

        return session_lib.answers(load, outputs, feeds, limits)

    def publish(self, folder: str, target: str) -> None:
        """See `Format.publish`."""
        files.publish_folder(os.path.join(folder, self.file), target)
