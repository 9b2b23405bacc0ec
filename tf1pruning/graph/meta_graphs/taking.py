"""Takes a graph that was just read into the house."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.graph import functions, newer
from tf1pruning.graph.meta_graphs import checking, complete


def take(meta_graph: tf.MetaGraphDef) -> None:
    """Checks a graph and gives it the form that all else reads, in place.

    Raises:
      GraphError: names the node that TensorFlow would refuse, or could crash on.
    """
    # Functions of a training that nothing calls may say what only a newer TensorFlow
    # understands.
    used = functions.used_library(meta_graph.graph_def)
    meta_graph.graph_def.library.CopyFrom(used)
    newer.drop(meta_graph)
    checking.check(meta_graph)
    complete.complete(meta_graph)
