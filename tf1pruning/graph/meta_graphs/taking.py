"""Takes a graph that was just read into the house."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.graph.meta_graphs import checking, complete, newer


def take(meta_graph: tf.MetaGraphDef) -> None:
    """Checks a graph and gives it the form that all else reads, in place.

    Raises:
      GraphError: names the node that TensorFlow would refuse, or could crash on.
    """
    newer.drop(meta_graph)
    checking.check(meta_graph)
    complete.complete(meta_graph)
