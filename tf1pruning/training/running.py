"""Finds the ops that a `Session.run` runs: those that its fetches need."""

from __future__ import annotations

from typing import Any, FrozenSet, Hashable, List

import tensorflow.compat.v1 as tf

from tf1pruning.graph import walk


def key_of(args: tf.train.SessionRunArgs) -> Hashable:
    """Equal for calls that run the same ops."""
    fetches = tuple(_name(fetch) for fetch in _leaves(args.fetches))
    return fetches, _fed(args)


def needed_ops(
    graph: tf.Graph, args: tf.train.SessionRunArgs
) -> FrozenSet[tf.Operation]:
    """The ops that a call needs; of a conditional those of all branches.

    Args:
      graph: that the call runs in.
      args: fetches and feeds of the call. What only a fed tensor needs does not run.
    """
    fed = _fed(args)

    def needed(op: tf.Operation) -> List[tf.Operation]:
        inputs = [tensor.op for tensor in op.inputs if tensor.name not in fed]
        return [*op.control_inputs, *inputs]

    elements = [graph.as_graph_element(fetch) for fetch in _leaves(args.fetches)]
    starts = (e if isinstance(e, tf.Operation) else e.op for e in elements)
    return frozenset(walk.reached(starts, needed))


def _fed(args: tf.train.SessionRunArgs) -> FrozenSet[str]:
    """Names of the fed tensors."""
    keys = list(args.feed_dict or ())
    return frozenset(_name(leaf) for leaf in _leaves(keys))


def _leaves(nested: Any) -> List[Any]:
    """What is nested in fetches or in a key of feeds, composite tensors taken apart."""
    return tf.nest.flatten(nested, expand_composites=True)


def _name(element: Any) -> str:
    return element if isinstance(element, str) else element.name
