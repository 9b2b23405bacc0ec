"""SavedModel with the signature of the network, made without a session."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_model_pb2

from tf1pruning.ckpt import writer
from tf1pruning.export import session as session_lib
from tf1pruning.export.network import Network
from tf1pruning.graph import meta_graph, saved_model, signature
from tf1pruning.surgery import weights

NAME = 'saved_model'
TAGS = (tf.saved_model.tag_constants.SERVING,)


def write(folder: str, network: Network) -> None:
    """Writes the folder `saved_model`.

    Raises:
      OutputError: if the files cannot be written.
    """
    root = os.path.join(folder, NAME)
    variables = os.path.join(root, saved_model.VARIABLES_PREFIX)
    os.makedirs(os.path.dirname(variables))
    if network.model.variables:
        arrays = weights.CheckpointArrays(network.model, network.arrays)
        writer.save(os.path.dirname(variables), variables, arrays, None)
    graph = meta_graph.build_meta_graph(network.model)
    named = signature.signature_def(network.signature, network.model.view())
    graph.signature_def[network.signature.name].CopyFrom(named)
    proto = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    proto.meta_graphs.add().CopyFrom(graph)
    with open(os.path.join(root, saved_model.SAVED_MODEL_FILE), 'wb') as file:
        file.write(proto.SerializeToString())


def answers(
    folder: str, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> List[np.ndarray]:
    """Loads the SavedModel as a server does and runs it.

    Raises:
      VerificationError: if that fails.
    """

    def load(session: tf.Session) -> None:
        tf.saved_model.loader.load(session, list(TAGS), os.path.join(folder, NAME))

    return session_lib.answers(load, outputs, feeds)
