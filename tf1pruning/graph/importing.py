"""Imports GraphDefs into TensorFlow, which infers their shapes; no session."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Callable, List, Mapping, Tuple, TypeVar

import tensorflow.compat.v1 as tf

from tf1pruning import bounds, names
from tf1pruning.errors import GraphError
from tf1pruning.graph import frames, newer, nodes, op_defs, references
from tf1pruning.graph.pure_ops import PURE_OPS

# What TensorFlow says; there is no public list of the ops that it knows.
_UNKNOWN = re.compile("Op type not registered '([^']+)'")
# How long an import may take, and how much longer for each node.
_SECONDS, _NODE_SECONDS = 15.0, 0.004

T = TypeVar('T')


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
      GraphError: with TensorFlow's own message, if it refuses the graph; or if the
        import takes too long, or more memory than it may.
    """
    with tf.Graph().as_default() as graph:
        import_into_default(graph_def)
    return graph


def import_into_default(
    graph_def: tf.GraphDef,
    scope: str = '',
    replaced: Mapping[str, tf.Tensor] = MappingProxyType({}),
) -> None:
    """Imports a GraphDef into the default graph.

    Args:
      graph_def: not changed.
      scope: in front of the names of its nodes.
      replaced: name of a tensor of the GraphDef -> what its readers read instead.

    Raises:
      UnknownOpError: if it holds an op that is not registered.
      GraphError: with TensorFlow's own message, if it refuses the graph; or if the
        import takes too long, or more memory than it may.
    """
    graph = tf.get_default_graph()

    def work() -> None:
        with graph.as_default():
            tf.import_graph_def(graph_def, dict(replaced), name=scope)

    try:
        in_time(graph_def, work)
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown:
            op = unknown.group(1)
            found = names.quoted([n.name for n in graph_def.node if n.op == op], 3)
            raise UnknownOpError(op, found) from error
        raise GraphError(f'TensorFlow refuses the graph: {error}') from error
    finally:
        # TensorFlow writes defaults into the nodes that it is given.
        newer.drop_later(graph_def.node)


def in_time(graph_def: tf.GraphDef, work: Callable[[], T]) -> T:
    """What a call gives in which TensorFlow infers the shapes of a graph.

    TensorFlow computes the constants that say how large a tensor is.

    Raises:
      GraphError: if it takes too long, or more memory than it may.
    """
    seconds = _SECONDS + _NODE_SECONDS * len(graph_def.node)
    try:
        return bounds.run(work, seconds)
    except bounds.LateError as error:
        raise GraphError(
            f'TensorFlow takes more than {seconds:.0f} seconds to infer the shapes of '
            'the graph. The sizes of a tensor may be computed from constants that are '
            'far too large.'
        ) from error
    except MemoryError as error:
        raise GraphError(
            'TensorFlow needs more memory to import the graph than there is, or than '
            'it may take. Free memory, or write the file again with smaller sizes.'
        ) from error


def import_for_shapes(graph_def: tf.GraphDef) -> Tuple[tf.GraphDef, tf.Graph]:
    """Imports a GraphDef, with placeholders of unknown shape for unknown ops.

    What a loop changes has the shape that its node says: TensorFlow learns that of the
    next turn too late. Of an unknown op only the first output has a tensor in the
    graph. The same becomes of ops that are not pure but stateless: TensorFlow would
    compute them on import. An assignment to a variable that became a constant is the
    value that it assigns.

    Returns:
      The GraphDef with these placeholders, and the graph.

    Raises:
      GraphError: with TensorFlow's own message, if it refuses the graph.
    """
    graph_def = _without_turns(graph_def)
    for op in _computed(graph_def):
        graph_def = _without(graph_def, op)
    while True:
        try:
            return graph_def, import_graph(graph_def)
        except UnknownOpError as error:
            if all(node.op != error.op for node in graph_def.node):
                raise  # It is in a function.
            graph_def = _without(graph_def, error.op)
        except GraphError:
            left = references.without_assignments(graph_def)
            if left is graph_def:
                raise
            graph_def = left


def _without_turns(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The graph with placeholders where turns of loops begin, if shapes are known."""
    turns = {node.name for node in graph_def.node if node.op in frames.TURNS}
    begins = {
        node.name
        for node in graph_def.node
        if node.op in frames.MERGES
        and nodes.OUTPUT_SHAPES in node.attr
        and not turns.isdisjoint(map(names.node_name, node.input))
    }
    if not begins:
        return graph_def
    return nodes.with_nodes(
        graph_def,
        (_begun(node) if node.name in begins else node for node in graph_def.node),
    )


def _begun(merge: tf.NodeDef) -> tf.NodeDef:
    dtype = tf.as_dtype(merge.attr['T'].type)
    result = nodes.make_node(merge.name, 'Placeholder', dtype=dtype)
    shape = merge.attr[nodes.OUTPUT_SHAPES].list.shape[0]
    result.attr['shape'].shape.CopyFrom(shape)
    return result


def is_registered(op: str) -> bool:
    """Whether this TensorFlow knows an op."""
    try:
        with tf.Graph().as_default():
            tf.import_graph_def(tf.GraphDef(node=[tf.NodeDef(name='x', op=op)]))
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        return not _UNKNOWN.search(str(error))
    return True


def _computed(graph_def: tf.GraphDef) -> List[str]:
    """Ops that TensorFlow would run on import, although they are not pure."""
    functions = {each.signature.name for each in graph_def.library.function}
    others = {node.op for node in graph_def.node} - PURE_OPS - functions
    known = op_defs.op_defs(others)
    return [op for op in others if op not in known or not known[op].is_stateful]


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
    """A placeholder of the type of a node's first output, as far as that is known."""
    known = op_defs.op_defs([node.op]).get(node.op)
    given = known.output_arg[0] if known and known.output_arg else None
    keys = ('T', 'dtype') if given is None else (given.type_attr,)
    found = [node.attr[key].type for key in keys if key in node.attr]
    fixed = given.type if given else tf.float32.as_datatype_enum
    result = tf.NodeDef(name=node.name, op='Placeholder')
    result.attr['dtype'].type = found[0] if found else fixed
    result.attr['shape'].shape.unknown_rank = True
    return result
