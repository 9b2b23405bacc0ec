"""Gives a graph that was read the one form that the rest of the library reads.

- An attribute that is absent has the op's default: a fused batch norm without
  `is_training` is in training mode. Exporters leave such attributes out
  (`strip_default_attrs`), and older versions of TensorFlow did not know all of them.
- An input may be written `node:0` instead of `node`.
- A placeholder of TensorFlow up to 1.0 has the shape of a number where it has none; its
  shape is then what the Saver noted, if it did.
- Places at nodes that are gone go, and so do references to variables that are gone.
- Devices go, in functions, too: that of a training, such as a task of a cluster, may be
  nowhere else.
"""

from __future__ import annotations

from typing import Iterator, Mapping, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tf1pruning.graph import newer, op_defs, places, references
from tf1pruning.graph import nodes as nodes_lib
from tf1pruning.graph import view as view_lib

_FIRST = ':0'
# Up to this version of graphs, TensorFlow takes a placeholder's shape () for none.
_LAST_WITHOUT_NUMBERS = 21

Defaults = Mapping[str, Tuple[Tuple[str, attr_value_pb2.AttrValue], ...]]


def complete(meta_graph: tf.MetaGraphDef) -> None:
    """Gives a meta graph that was just read that form, in place.

    Ops that TensorFlow does not know get the defaults that the file itself gives.
    """
    defaults, graph_def = _defaults(meta_graph), meta_graph.graph_def
    lost = references.on_values(graph_def)
    is_old = graph_def.versions.producer <= _LAST_WITHOUT_NUMBERS
    for node in _nodes(graph_def):
        node.ClearField('device')
        attributes = node.attr
        for name, value in defaults.get(node.op, ()):
            if name not in attributes:
                attributes[name].CopyFrom(value)
    newer.drop_later(_nodes(graph_def))
    for node in graph_def.node:
        for position, name in enumerate(nodes_lib.data_names(node)):
            if name.endswith(_FIRST):
                node.input[position] = name[: -len(_FIRST)]
        if lost and node.name in lost:
            references.make_plain(node)
        if is_old and _lacks_shape(node):
            _give_shape(node)
    places.drop_lost(graph_def)


def _lacks_shape(node: tf.NodeDef) -> bool:
    """Whether a node is a placeholder whose shape (), in an old graph, means none."""
    shape = view_lib.attribute(node, 'shape').shape
    return node.op == 'Placeholder' and not (shape.dim or shape.unknown_rank)


def _give_shape(node: tf.NodeDef) -> None:
    """Gives a placeholder the shape that the Saver noted, or none."""
    noted = view_lib.attribute(node, nodes_lib.OUTPUT_SHAPES).list.shape
    if noted:
        node.attr['shape'].shape.CopyFrom(noted[0])
    else:
        node.attr['shape'].shape.unknown_rank = True


def _nodes(graph_def: tf.GraphDef) -> Iterator[tf.NodeDef]:
    """All nodes, those of functions too."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


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
