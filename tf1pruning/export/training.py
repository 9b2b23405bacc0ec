"""Format `ckpt` for further training: optimizer state and the training graph."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.export import session as session_lib
from tf1pruning.export.checkpoint import CheckpointFormat
from tf1pruning.export.format import Network
from tf1pruning.graph import variables as variables_lib
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference import derivation, forward
from tf1pruning.graph.inference.forward import Forward
from tf1pruning.graph.meta_graphs import meta_graph, signature
from tf1pruning.graph.meta_graphs.signature import Signatures
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.surgery import training_state, verify, weights
from tf1pruning.surgery.stripped import Stripped


def stripped_graph(
    graph: tf.MetaGraphDef, stripped: Stripped, signatures: Signatures
) -> Tuple[Forward, tf.MetaGraphDef]:
    """The graph on which the training of a stripped network goes on.

    Args:
      graph: of the training before; not changed.
      stripped: the network.
      signatures: of the network; those whose inputs the training has are kept.

    Returns:
      The graph, and its meta graph.

    Raises:
      GraphError: if the training graph cannot be stripped like the network.
    """
    whole = forward.forward_graph(graph, stripped.graph.outputs)
    small = forward.resize(whole, stripped.resizing)
    meta = forward.build_meta_graph(small)
    signature.add(meta, signatures, small.model.view())
    return small, meta


class TrainingFormat(CheckpointFormat):
    """`stripped.ckpt*` for further training, instead of `CheckpointFormat`.

    Args:
      graph: of the training; not changed.
      checkpoint: of the training.
      stripped: its network.
      signatures: of the network.

    Raises:
      GraphError: if the training graph cannot be stripped like the network.
    """

    def __init__(
        self,
        graph: tf.MetaGraphDef,
        checkpoint: Arrays,
        stripped: Stripped,
        signatures: Signatures,
    ):
        small, meta = stripped_graph(graph, stripped, signatures)
        self._kept = stripped.graph.converted.kept
        self._meta = meta.SerializeToString()
        kept = {variable.key for variable in small.model.variables}
        trainable = variables_lib.keys_in(graph, tf.GraphKeys.TRAINABLE_VARIABLES)
        dropped = (trainable - kept).intersection(checkpoint)
        own = weights.CheckpointArrays(stripped.graph, stripped.arrays)
        self._state = training_state.StrippedState(
            checkpoint, own, stripped.plan.cuts, dropped
        )

    def write(self, folder: str, network: Network, target: str) -> None:
        """Writes weights, slots and step, and the graph as it is trained."""
        writer.save(folder, target, self._state, self._meta)

    def answers(
        self,
        folder: str,
        outputs: Sequence[str],
        feeds: Mapping[str, np.ndarray],
        limits: RunLimits = STRICT,
    ) -> List[np.ndarray]:
        """Restores the checkpoint, and runs the inference graph of the training graph.

        The training graph itself would answer differently each time, with dropout.
        """
        prefix = os.path.join(folder, self.file)
        session_lib.answers(session_lib.restoring(prefix), [], {}, limits)
        written = Checkpoint(prefix)
        meta = meta_graph.read_meta_graph(written.meta_path)
        graph = derivation.derive(meta, outputs, keep=self._kept)
        arrays = weights.model_arrays(graph, written)
        return verify.run(freeze.freeze(graph, arrays), outputs, feeds, limits)
