"""Adds to a graph that was read what its file leaves out.

An attribute that is absent has the op's default: a fused batch norm without
`is_training` is in training mode. Exporters leave such attributes out
(`strip_default_attrs`), and older versions of TensorFlow did not know all of them. An
input may be written `node:0` instead of `node`. Here both get the one form that the
rest of the library reads. Devices go, in functions, too: that of a training, such as a
task of a cluster, may be nowhere else.
"""

from __future__ import annotations

from typing import Iterator, Mapping, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tf1pruning.graph import op_defs

_FIRST = ':0'

Defaults = Mapping[str, Tuple[Tuple[str, attr_value_pb2.AttrValue], ...]]


def complete(meta_graph: tf.MetaGraphDef) -> tf.MetaGraphDef:
    """A meta graph whose nodes have all their attributes and short input names.

    Ops that TensorFlow does not know get the defaults that the file itself gives.

    Args:
      meta_graph: as it was read; not changed, and returned if there is nothing to do.
    """
    defaults = _defaults(meta_graph)
    if not _leaves_out(meta_graph.graph_def, defaults):
        return meta_graph
    result = tf.MetaGraphDef()
    result.CopyFrom(meta_graph)
    for node in _nodes(result.graph_def):
        node.device = ''
        for name, value in defaults.get(node.op, ()):
            if name not in node.attr:
                node.attr[name].CopyFrom(value)
    for node in result.graph_def.node:
        for position, name in enumerate(node.input):
            if name.endswith(_FIRST):
                node.input[position] = name[: -len(_FIRST)]
    return result


def _nodes(graph_def: tf.GraphDef) -> Iterator[tf.NodeDef]:
    """All nodes, those of functions too."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _leaves_out(graph_def: tf.GraphDef, defaults: Defaults) -> bool:
    """Whether an attribute is absent, an input has its long name, a node a device."""
    placed = (bool(node.device) for node in _nodes(graph_def))
    lacking = (
        name not in node.attr
        for node in _nodes(graph_def)
        for name, _ in defaults.get(node.op, ())
    )
    long = (name.endswith(_FIRST) for node in graph_def.node for name in node.input)
    return any(placed) or any(lacking) or any(long)


def _defaults(meta_graph: tf.MetaGraphDef) -> Defaults:
    """Op type -> its attributes that have a default."""
    written = {op.name: op for op in meta_graph.meta_info_def.stripped_op_list.op}
    known = op_defs.op_defs({node.op for node in _nodes(meta_graph.graph_def)})
    return {
        name: tuple(
            (each.name, each.default_value)
            for each in definition.attr
            if each.HasField('default_value')
        )
        for name, definition in {**written, **known}.items()
    }
