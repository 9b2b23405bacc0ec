"""Checkpoint to train on from: optimizer state, and the graph as it is trained."""

from __future__ import annotations

import dataclasses
import os
from typing import List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.export import session as session_lib
from tf1pruning.export.checkpoint import NAME
from tf1pruning.graph import forward, freeze, inference, meta_graph
from tf1pruning.graph import variables as variables_lib
from tf1pruning.plan import Plan
from tf1pruning.surgery import training_state, verify, weights
from tf1pruning.surgery.strip import Stripped


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """What a training goes on from.

    Attributes:
      meta: the training graph's forward part (see `graph.forward`).
      state: weights, slots, global step.
    """

    meta: tf.MetaGraphDef
    state: Arrays


def stripped_training(
    graph: tf.MetaGraphDef, checkpoint: Arrays, stripped: Stripped
) -> Training:
    """Strips a training like its network.

    Args:
      graph: of the training; not changed.
      checkpoint: of the training.
      stripped: the network.

    Raises:
      GraphError: if the training graph cannot be stripped like the network.
    """
    whole = forward.forward_graph(graph, stripped.model.outputs)
    small = forward.resize(whole, stripped.resizing)
    own = weights.CheckpointArrays(stripped.model, stripped.arrays)
    kept = {variable.key for variable in small.model.variables}
    return Training(
        forward.build_meta_graph(small), _state(graph, checkpoint, own, stripped, kept)
    )


def _state(
    graph: tf.MetaGraphDef,
    checkpoint: Arrays,
    own: Arrays,
    stripped: Stripped,
    kept: set,
) -> Arrays:
    plan: Plan = stripped.plan
    trainable = variables_lib.keys_in(graph, tf.GraphKeys.TRAINABLE_VARIABLES)
    dropped = (trainable - kept).intersection(checkpoint)
    return training_state.StrippedState(checkpoint, own, plan.cuts, dropped)


def write(folder: str, training: Training, prefix: str) -> None:
    """Writes `stripped.ckpt*`.

    Args:
      folder: where to write.
      training: what is written.
      prefix: where `ckpt.writer.publish` will put it.

    Raises:
      OutputError: if the files cannot be written.
    """
    meta = training.meta.SerializeToString()
    writer.save(folder, prefix, training.state, meta)


def answers(
    folder: str, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> List[np.ndarray]:
    """Restores the checkpoint, and runs the inference graph of the training graph.

    As it is trained, a network with dropout never answers twice the same.

    Raises:
      VerificationError: if that fails.
    """
    prefix = os.path.join(folder, NAME)
    session_lib.answers(session_lib.restoring(prefix), [], {})
    graph = meta_graph.read_meta_graph(prefix + '.meta')
    model = inference.inference_model(graph, outputs)
    arrays = weights.model_arrays(model, Checkpoint(prefix))
    return verify.run(freeze.freeze(model, arrays), outputs, feeds)
