"""Drops attributes that ops have in a newer TensorFlow only, where they say nothing.

A newer TensorFlow writes them on every node of such an op, mostly at their default, and
an older one then refuses the graph. Whatever TensorFlow runs, the house has ops as
TensorFlow 1.15 knows them, and so are the files that it writes.
"""

from __future__ import annotations

import itertools
from typing import Collection, Dict, Iterable, Optional

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
_FACTOR = 'exponential_avg_factor'
# Attributes of ops of TensorFlow 1.15 that came later.
_LATER = {
    'FusedBatchNorm': (_FACTOR,),
    'FusedBatchNormV2': (_FACTOR,),
    'FusedBatchNormV3': (_FACTOR,),
    'DepthwiseConv2dNative': ('explicit_paddings',),
    'VarHandleOp': ('allowed_devices', 'debug_name'),
    'MatMul': ('grad_a', 'grad_b'),
    'BatchMatMul': ('grad_x', 'grad_y'),
    'BatchMatMulV2': ('grad_x', 'grad_y'),
}
# They say something to people only.
_NAMES = ('debug_name',)


def drop_later(nodes: Iterable[tf.NodeDef]) -> None:
    """Drops what came after TensorFlow 1.15 from nodes, in place, if it is neutral."""
    for node in nodes:
        for name in _LATER.get(node.op, ()):
            if name in node.attr and _says_nothing(node, name, _NEUTRAL.get(name)):
                del node.attr[name]


def _says_nothing(
    node: tf.NodeDef, name: str, neutral: Optional[attr_value_pb2.AttrValue]
) -> bool:
    """Whether a node does the same without an attribute."""
    # Moving statistics that are only read have no factor.
    is_fixed = 'is_training' in node.attr and not node.attr['is_training'].b
    is_free = name in _NAMES or (name == _FACTOR and is_fixed)
    return is_free or node.attr[name] == neutral


def drop(meta_graph: tf.MetaGraphDef) -> None:
    """Drops such attributes from the nodes of a graph and of its functions, in place.

    What an attribute is at its default the graph's own list of ops says; else a table.

    Raises:
      GraphError: if one has another value: names it and the node.
    """
    graph_def = meta_graph.graph_def
    functions = (each.node_def for each in graph_def.library.function)
    nodes = list(itertools.chain(graph_def.node, *functions))
    drop_later(nodes)
    unknown = _unknown(meta_graph, {node.op for node in nodes})
    for node in nodes:
        for name, neutral in unknown.get(node.op, {}).items():
            if name not in node.attr:
                continue
            if not _says_nothing(node, name, neutral):
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
