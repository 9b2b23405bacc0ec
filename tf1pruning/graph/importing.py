"""Imports GraphDefs into TensorFlow, which infers their shapes; no session."""

from __future__ import annotations

import re

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import nodes, references

# What TensorFlow says; there is no public list of the ops that it knows.
_UNKNOWN = re.compile("Op type not registered '([^']+)'")


class UnknownOpError(GraphError):
    """The graph holds an op that this TensorFlow does not know.

    Attributes:
      op: type of the op.
    """

    def __init__(self, op: str, nodes: str):
        super().__init__(
            f'This TensorFlow does not know the op {op!r} of {nodes}, so the graph '
            'cannot be run here. Without verification it is stripped unseen, by its '
            'structure alone.',
            options=('verify',),
        )
        self.op = op


def import_graph(graph_def: tf.GraphDef) -> tf.Graph:
    """Imports a GraphDef into a fresh graph.

    Raises:
      UnknownOpError: if it holds an op that is not registered.
      GraphError: with TensorFlow's own message, if it refuses the graph.
    """
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(graph_def, name='')
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown:
            op = unknown.group(1)
            found = names.quoted([n.name for n in graph_def.node if n.op == op], 3)
            raise UnknownOpError(op, found) from error
        raise GraphError(f'TensorFlow refuses the graph: {error}') from error
    return graph


def import_for_shapes(graph_def: tf.GraphDef) -> tf.Graph:
    """Imports a GraphDef, with placeholders of unknown shape for unknown ops.

    Of an unknown op only the first output has a tensor in the graph. An assignment to a
    variable that became a constant is the value that it assigns.

    Raises:
      GraphError: with TensorFlow's own message, if it refuses the graph.
    """
    while True:
        try:
            return import_graph(graph_def)
        except UnknownOpError as error:
            graph_def = _without(graph_def, error.op)
        except GraphError:
            left = references.without_assignments(graph_def)
            if left is graph_def:
                raise
            graph_def = left


def _without(graph_def: tf.GraphDef, op: str) -> tf.GraphDef:
    unknown = {node.name for node in graph_def.node if node.op == op}

    def known(name: str) -> str:
        source = names.node_name(name)
        return source if source in unknown and not names.is_control(name) else name

    left = (
        _placeholder(node)
        if node.name in unknown
        else nodes.copied(node, [known(name) for name in node.input])
        for node in graph_def.node
    )
    return nodes.with_nodes(graph_def, left)


def _placeholder(node: tf.NodeDef) -> tf.NodeDef:
    found = [node.attr[key].type for key in ('T', 'dtype') if key in node.attr]
    result = tf.NodeDef(name=node.name, op='Placeholder')
    result.attr['dtype'].type = found[0] if found else tf.float32.as_datatype_enum
    result.attr['shape'].shape.unknown_rank = True
    return result
