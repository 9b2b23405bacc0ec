"""Writes a network as a checkpoint with a meta graph that imports and restores."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.meta_graphs import signature
from tf1pruning.models.model import Model
from tf1pruning.steps import protection
from tf1pruning.surgery import weights


def write_network(
    prefix: str, graph: InferenceGraph, arrays: Arrays, original: Model
) -> tf.MetaGraphDef:
    """Writes exactly the variables of a network, and its graph with its signatures.

    Args:
      prefix: of the new checkpoint.
      graph: of the network.
      arrays: variable node -> array.
      original: the model that it was made from, with its signatures.

    Returns:
      The meta graph.

    Raises:
      OutputError: if it would replace the original, or cannot be written.
      CheckpointError: if an array is missing, damaged, NaN or infinite.
    """
    protection.check_target(prefix, [original.path])
    meta = signature.meta_graph_of(graph, original.signatures)
    whole = weights.CheckpointArrays(graph, arrays)
    writer.write_checkpoint(prefix, whole, meta.SerializeToString())
    return meta
