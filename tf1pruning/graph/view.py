"""Read-only index of a GraphDef: nodes, edges, order and static shapes.

A view never changes its GraphDef. Shapes come from the `_output_shapes` attribute that
a Saver leaves on the nodes; where one is missing the graph is imported once, without a
session.
"""

from __future__ import annotations

import collections
from types import MappingProxyType
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2, tensor_shape_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import (
    frames,
    importing,
    nodes,
    op_signatures,
    static_shapes,
    walk,
)
from tf1pruning.names import TensorRef

Shape = Tuple[Optional[int], ...]

# Ops that hand on a value or what a variable holds, and do nothing else.
READ_OPS = ('Identity', 'ReadVariableOp')


def agree(a: Optional[Shape], b: Optional[Shape]) -> bool:
    """Whether two shapes may be the same, as far as they are known.

    >>> agree((None, 3), (2, 3)), agree((2, 3), (2, 4)), agree(None, (2,))
    (True, False, True)
    """
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(
        x == y or x is None or y is None for x, y in zip(a, b)
    )


class Edge(NamedTuple):
    """Output `output` of some node enters `node` as data input number `position`."""

    node: tf.NodeDef
    position: int
    output: int


def attribute(node: tf.NodeDef, name: str) -> attr_value_pb2.AttrValue:
    """An attribute of a node; an empty value if the node has none of that name.

    Reading `node.attr[name]` would add the missing entry to the node.
    """
    return node.attr[name] if name in node.attr else attr_value_pb2.AttrValue()


def data_inputs(node: tf.NodeDef) -> List[TensorRef]:
    """The tensors that a node reads, in order, without control dependencies."""
    return list(map(names.parse_tensor, nodes.data_names(node)))


def input_names(node: tf.NodeDef) -> List[str]:
    """Names of the nodes that a node reads or waits for."""
    return [names.node_name(i) for i in node.input]


def control_inputs(node: tf.NodeDef) -> List[str]:
    """Names of the nodes that a node only waits for."""
    return [names.node_name(i) for i in node.input if names.is_control(i)]


def shape_from_proto(proto: tensor_shape_pb2.TensorShapeProto) -> Optional[Shape]:
    """TensorShapeProto -> tuple with None for unknown sizes, or None if no rank."""
    if proto.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in proto.dim)


def _is_read(edge: Edge) -> bool:
    return edge.node.op in READ_OPS


def _always(each: Any) -> bool:
    return True


def as_identity(node: tf.NodeDef, source: TensorRef) -> tf.NodeDef:
    """A node that hands on `source` in the place of the first output of `node`."""
    new = tf.NodeDef(name=node.name, op='Identity', input=[source.as_input])
    for key in ('T', nodes.OUTPUT_SHAPES):
        if key in node.attr:
            new.attr[key].CopyFrom(node.attr[key])
    if nodes.OUTPUT_SHAPES in new.attr:
        del new.attr[nodes.OUTPUT_SHAPES].list.shape[1:]
    return new


class GraphView:
    """Index of a GraphDef.

    Args:
      graph_def: the graph; owned by the caller, not changed here.
      shapes: of tensors whose shapes are known without it.

    Raises:
      GraphError: if two nodes have the same name.
    """

    def __init__(
        self,
        graph_def: tf.GraphDef,
        shapes: Mapping[TensorRef, Optional[Shape]] = MappingProxyType({}),
    ):
        self.graph_def, self._given = graph_def, shapes
        self._nodes: Dict[str, tf.NodeDef] = {n.name: n for n in graph_def.node}
        if len(self._nodes) != len(graph_def.node):
            counts = collections.Counter(node.name for node in graph_def.node)
            twice = next(name for name, count in counts.items() if count > 1)
            raise GraphError(f'The graph is damaged: two nodes named {twice!r}.')
        self._refs: Dict[str, Tuple[TensorRef, ...]] = {}
        self._edges: Optional[Dict[str, List[Edge]]] = None
        self._known = graph_def
        self._imported: Optional[tf.Graph] = None
        self._signatures: Dict[str, op_signatures.Signature] = {}
        self._shapes: Optional[Dict[TensorRef, tf.TensorShape]] = None

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[tf.NodeDef]:
        return iter(self.graph_def.node)

    def node(self, name: str) -> tf.NodeDef:
        """The node called `name`.

        Raises:
          GraphError: if there is none; the message offers the nearest names.
        """
        try:
            return self._nodes[name]
        except KeyError:
            hint = names.did_you_mean(name, self._nodes)
            raise GraphError(f'No node {name!r} in the graph. {hint}') from None

    def refs(self, node: tf.NodeDef) -> Tuple[TensorRef, ...]:
        """What `data_inputs` gives, for nodes of this graph parsed only once."""
        name = node.name
        if self._nodes.get(name) is not node:
            return tuple(data_inputs(node))
        if name not in self._refs:
            self._refs[name] = tuple(data_inputs(node))
        return self._refs[name]

    def inputs(self, node: tf.NodeDef) -> List[tf.NodeDef]:
        """The nodes whose outputs `node` reads, in order.

        Raises:
          GraphError: if one of them is missing.
        """
        return [self.node(ref.node) for ref in self.refs(node)]

    def behind_reads(
        self, node: tf.NodeDef, reads: Collection[str] = READ_OPS
    ) -> tf.NodeDef:
        """The node, such as a variable, whose value plain reads hand on to `node`.

        Args:
          node: may be no read itself.
          reads: types of the ops that hand on their first input.
        """
        while node.op in reads:
            node = self.node(self.refs(node)[0].node)
        return node

    def with_reads(self, name: str) -> List[str]:
        """The node `name` and the plain reads of its value, those of reads too."""
        edges = self.edges_behind([name], _is_read)
        return [name, *(edge.node.name for edge in edges if _is_read(edge))]

    def readers(self, name: str) -> List[Edge]:
        """The edges by which a node is read, by plain reads or behind them."""
        edges = self.edges_behind([name], _is_read)
        return [edge for edge in edges if not _is_read(edge)]

    def consumers(self, name: str) -> Sequence[Edge]:
        """All data edges that leave the node `name`, in graph order."""
        if self._edges is None:
            self._edges = {}
            for node in self.graph_def.node:
                for position, ref in enumerate(self.refs(node)):
                    edge = Edge(node, position, ref.output)
                    self._edges.setdefault(ref.node, []).append(edge)
        return self._edges.get(name, [])

    def edges_behind(
        self, starts: Iterable[str], passes: Callable[[Edge], bool] = _always
    ) -> Iterator[Edge]:
        """The data edges that leave nodes, or what lies behind these; each once.

        Args:
          starts: names of the nodes.
          passes: whether to go on behind the node that an edge enters.
        """

        def entered(name: str) -> List[str]:
            return [e.node.name for e in self.consumers(name) if passes(e)]

        for name in walk.reached(starts, entered):
            yield from self.consumers(name)

    def before(
        self,
        starts: Iterable[str],
        passes: Callable[[tf.NodeDef], bool] = _always,
        control: bool = False,
    ) -> Iterator[tf.NodeDef]:
        """Nodes and what they depend on, each once, before its inputs.

        Args:
          starts: names of the nodes.
          passes: whether to go on to the inputs of a node.
          control: whether control inputs count.

        Raises:
          GraphError: on an unknown name.
        """

        def inputs(name: str) -> Sequence[str]:
            node = self._nodes[name]
            if not passes(node):
                return ()
            return input_names(node) if control else [r.node for r in self.refs(node)]

        for name in walk.reached(starts, inputs):
            yield self.node(name)

    def ancestors(self, targets: Iterable[str]) -> List[tf.NodeDef]:
        """Nodes that `targets` need, themselves included, inputs first.

        Control inputs do not count, but for those that tie a node to its loop or
        branch. Of a loop, what makes the values of the next turn comes last.

        Args:
          targets: node names.

        Raises:
          GraphError: on an unknown name, or a cycle that is no loop.
        """
        inside = frames.nodes_inside(self.graph_def)
        return frames.inputs_first(targets, self.node, inside)

    def shape(self, ref: TensorRef) -> Optional[Shape]:
        """Static shape of a tensor; None if not even the rank is known.

        Raises:
          GraphError: if there is no such node, or the graph cannot be imported.
        """
        if ref in self._given:
            return self._given[ref]
        attributes = self.node(ref.node).attr
        if nodes.OUTPUT_SHAPES in attributes:
            shapes = attributes[nodes.OUTPUT_SHAPES].list.shape
            if ref.output < len(shapes):
                return shape_from_proto(shapes[ref.output])
        found = self._refined().get(ref)
        try:
            if found is None:
                found = self._import().get_tensor_by_name(str(ref)).shape
        except KeyError:  # A further output of an unknown op.
            return None
        return shape_from_proto(found.as_proto())

    def has_tensor(self, ref: TensorRef) -> bool:
        """Whether a node of the graph has an output of that number.

        Raises:
          GraphError: if the graph cannot be imported.
        """
        operation = self._import().get_operation_by_name(ref.node)
        return ref.output < len(operation.outputs)

    def dtype(self, ref: TensorRef) -> tf.DType:
        """Element type of a tensor.

        Raises:
          GraphError: if the graph has to be imported and cannot be.
        """
        node = self.node(ref.node)
        if node.op not in self._signatures:
            self._signatures.update(op_signatures.signatures([node.op], ()))
        signature = self._signatures.get(node.op)
        types = signature.outputs(node) if signature else []
        if ref.output < len(types) and types[ref.output] != op_signatures.ANY:
            return tf.as_dtype(types[ref.output])
        return self._import().get_tensor_by_name(str(ref)).dtype.base_dtype

    def _import(self) -> tf.Graph:
        if self._imported is None:
            self._known, self._imported = importing.import_for_shapes(self.graph_def)
        return self._imported

    def _refined(self) -> Dict[TensorRef, tf.TensorShape]:
        """Shapes that TensorFlow leaves out; most graphs have none."""
        if self._shapes is None:
            graph = self._import()
            self._shapes = static_shapes.refined(self._known, graph)
        return self._shapes
