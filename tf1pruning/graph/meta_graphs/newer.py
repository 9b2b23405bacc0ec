"""Drops attributes that ops have in a newer TensorFlow only, where they say nothing.

A newer TensorFlow writes them on every node of such an op, mostly at their default, and
an older one then refuses the graph.
"""

from __future__ import annotations

import itertools
from typing import Collection, Dict

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tf1pruning.errors import GraphError
from tf1pruning.graph import op_defs

Values = Dict[str, attr_value_pb2.AttrValue]


def _neutral() -> Values:
    """Attribute -> the value at which an op does what it did without it."""
    # A list without values, which is not the same as no value.
    nothing = attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue())
    off = attr_value_pb2.AttrValue(b=False)
    return {
        'exponential_avg_factor': attr_value_pb2.AttrValue(f=1.0),
        'explicit_paddings': nothing,
        'allowed_devices': nothing,
        **dict.fromkeys(['grad_a', 'grad_b', 'grad_x', 'grad_y'], off),
    }


_NEUTRAL = _neutral()
# They say something to people only.
_NAMES = ('debug_name',)


def drop(meta_graph: tf.MetaGraphDef) -> None:
    """Drops such attributes from the nodes of a graph and of its functions, in place.

    What an attribute is at its default the graph's own list of ops says; else a table.

    Raises:
      GraphError: if one has another value: names it and the node.
    """
    graph_def = meta_graph.graph_def
    functions = (each.node_def for each in graph_def.library.function)
    nodes = list(itertools.chain(graph_def.node, *functions))
    unknown = _unknown(meta_graph, {node.op for node in nodes})
    for node in nodes:
        for name, neutral in unknown.get(node.op, {}).items():
            if name not in node.attr:
                continue
            if name not in _NAMES and node.attr[name] != neutral:
                raise GraphError(
                    f'Node {node.name!r} ({node.op}) has the attribute {name!r} of a '
                    'newer TensorFlow, at a value that says more than its absence. '
                    'Write the graph without it.'
                )
            del node.attr[name]


def _unknown(meta_graph: tf.MetaGraphDef, ops: Collection[str]) -> Dict[str, Values]:
    """Op -> the attributes that it has elsewhere only, with their defaults."""
    written = meta_graph.meta_info_def.stripped_op_list.op
    defaults = {
        op.name: {
            each.name: each.default_value
            for each in op.attr
            if each.HasField('default_value')
        }
        for op in written
    }
    named = dict.fromkeys(_NAMES, attr_value_pb2.AttrValue())
    found: Dict[str, Values] = {}
    for op, definition in op_defs.op_defs(ops).items():
        own = {each.name for each in definition.attr}
        known = {**_NEUTRAL, **named, **defaults.get(op, {})}
        found[op] = {name: value for name, value in known.items() if name not in own}
    return found
