"""Static shapes that TensorFlow does not infer, of graphs that were written without.

A frozen graph lacks the shapes that Python knew when the network was built. TensorFlow
infers them again, but for what is reshaped to `[batch, -1]` with a batch that is read
from a tensor at run time. Here a size is a number times sizes that are not known, such
as that of the batch. Where these cancel out, the rest is known.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Set, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import frames, importing, nodes, sizes
from tf1pruning.graph.sizes import Numbers, Size
from tf1pruning.names import TensorRef, op_types

# Op -> number of the input that is the shape of its output.
_GIVEN = {
    'BroadcastTo': 1,
    'Conv2DBackpropInput': 0,
    'Conv3DBackpropInputV2': 0,
    'Fill': 0,
    'Reshape': 1,
    'Slice': 2,
}
# Their outputs have all sizes of their first input.
SAME_SIZES = op_types(
    'Abs BiasAdd Cast Elu Exp FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars Floor '
    'FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Identity LRN LeakyRelu Log '
    'LogSoftmax Neg Relu Relu6 Rsqrt Selu Sigmoid Softmax Softplus Softsign Sqrt '
    'Square StopGradient Tanh'
)
_BROADCASTS = op_types(
    'Add AddV2 Div FloorDiv Maximum Minimum Mul RealDiv SquaredDifference Sub'
)
# Their outputs have as many examples as their first input.
_SAME_BATCH = op_types(
    'AvgPool AvgPool3D BatchMatMul BatchMatMulV2 Conv2D Conv3D DepthToSpace '
    'DepthwiseConv2dNative MatMul MaxPool MaxPool3D ResizeArea ResizeBicubic '
    'ResizeBilinear ResizeNearestNeighbor SpaceToDepth'
)
_REDUCTIONS = op_types('All Any Max Mean Min Prod Sum')


def refined(graph_def: tf.GraphDef, plain: tf.Graph) -> Dict[TensorRef, tf.TensorShape]:
    """Tensor -> static shape, where TensorFlow leaves out what can be known.

    Args:
      graph_def: a graph whose ops TensorFlow knows.
      plain: the graph, as TensorFlow imports it.

    Returns:
      All shapes; none if TensorFlow has left out nothing.

    Raises:
      GraphError: if it takes too long.
    """
    if not any(_lacks(operation) for operation in plain.get_operations()):
        return {}
    return importing.in_time(graph_def, _Importer(graph_def, plain).run)


def _lacks(operation: tf.Operation) -> bool:
    """Whether more than the number of examples is unknown of a shape that is given."""
    if operation.type not in _GIVEN or not operation.outputs:
        return False
    shape = operation.outputs[0].shape
    return shape.rank is None or not shape[1:].is_fully_defined()


class _Importer:
    """Imports a graph piece by piece, and tells TensorFlow what it did not find.

    Args:
      graph_def: the graph.
      plain: the same, as TensorFlow imports it.
    """

    def __init__(self, graph_def: tf.GraphDef, plain: tf.Graph):
        self._source = graph_def
        self._plain = plain
        self._graph = tf.Graph()
        # TensorFlow may give a node another name, if others lie below its own.
        self._placed: Dict[str, tf.Operation] = {}
        self._nodes = {node.name: node for node in graph_def.node}
        self._sizes: Dict[TensorRef, Numbers] = {}
        self._numbers: Dict[TensorRef, Numbers] = {}

    def run(self) -> Dict[TensorRef, tf.TensorShape]:
        """All shapes."""
        inside = frames.nodes_inside(self._source)
        order = frames.inputs_first(self._nodes, self._nodes.__getitem__, inside)
        piece: List[tf.NodeDef] = []
        seen: Set[str] = set()
        for node in order:
            turns = any(
                names.node_name(name) not in seen for name in nodes.data_names(node)
            )
            piece.append(self._entered(node) if turns else node)
            seen.add(node.name)
            if node.op in _GIVEN and not turns:
                self._place(piece)
                piece = []
        self._place(piece)
        return {
            TensorRef(name, output): tensor.shape
            for name, operation in self._placed.items()
            for output, tensor in enumerate(operation.outputs)
        }

    def _entered(self, node: tf.NodeDef) -> tf.NodeDef:
        """Where a loop begins: a placeholder with what TensorFlow infers."""
        tensor = self._plain.get_tensor_by_name(f'{node.name}:0')
        new = nodes.make_node(node.name, 'Placeholder', dtype=tensor.dtype.base_dtype)
        new.attr['shape'].shape.CopyFrom(tensor.shape.as_proto())
        return new

    def _place(self, piece: Sequence[tf.NodeDef]) -> None:
        """Imports the next nodes, and refines the shape of the last."""
        own = {node.name for node in piece}
        copies = [nodes.copied(node, nodes.data_names(node)) for node in piece]
        for node in copies:
            node.attr.pop('_class', None)
        outside = {
            name: self._tensor(names.parse_tensor(name))
            for node in copies
            for name in node.input
            if names.node_name(name) not in own
        }
        with self._graph.as_default():
            made = tf.import_graph_def(
                nodes.with_nodes(self._source, copies),
                input_map=outside,
                return_elements=[node.name for node in copies],
                name='',
            )
        for node, operation in zip(copies, made):
            self._placed[node.name] = operation
        for node in copies:
            self._follow(node)

    def _tensor(self, ref: TensorRef) -> tf.Tensor:
        outputs = self._placed[ref.node].outputs
        if ref.output < len(outputs):
            return outputs[ref.output]
        # A further output of where a loop begins.
        plain = self._plain.get_tensor_by_name(str(ref))
        with self._graph.as_default():
            return tf.placeholder(plain.dtype.base_dtype, plain.shape)

    def _follow(self, node: tf.NodeDef) -> None:
        """Finds the sizes of what a node makes, and its numbers if they are sizes."""
        operation = self._placed[node.name]
        refs = [names.parse_tensor(name) for name in node.input]
        found = self._found(node, refs)
        for output, tensor in enumerate(operation.outputs):
            if found is not None and output == 0:
                _refine(tensor, found)
            self._sizes[TensorRef(node.name, output)] = self._named(
                TensorRef(node.name, output), tensor, found
            )
        if operation.outputs and operation.outputs[0].dtype.base_dtype.is_integer:
            self._count(node, refs)

    def _named(self, ref: TensorRef, tensor: tf.Tensor, found: Numbers) -> Numbers:
        """The sizes of a tensor; one that is not known has the tensor's name."""
        if tensor.shape.rank is None:
            return None
        named = [Size(1, (f'{ref} {axis}',)) for axis in range(tensor.shape.rank)]
        own = found if found and len(found) == len(named) else named
        return tuple(
            (each or name) if size is None else Size(size)
            for size, each, name in zip(tensor.shape.as_list(), own, named)
        )

    def _found(self, node: tf.NodeDef, refs: Sequence[TensorRef]) -> Numbers:
        """What is known of the sizes of the first output besides their numbers."""
        inputs = [self._sizes.get(ref) for ref in refs]
        first = inputs[0] if inputs else None
        if node.op in _GIVEN:
            given = self._numbers.get(refs[_GIVEN[node.op]])
            if node.op == 'Reshape':
                return sizes.reshaped(first, given)
            if node.op == 'Slice':
                return sizes.sliced(first, self._numbers.get(refs[1]), given)
            return given
        if first is None:
            return None
        if node.op in SAME_SIZES:
            return first
        if node.op in _BROADCASTS:
            return sizes.broadcast(first, inputs[1])
        if node.op == 'Transpose':
            order = self._whole(refs[1])
            return None if order is None else tuple(first[axis] for axis in order)
        if first and self._keeps_batch(node, refs):
            rank = self._placed[node.name].outputs[0].shape.rank
            return rank and (first[0], *(None,) * (rank - 1))
        return None

    def _keeps_batch(self, node: tf.NodeDef, refs: Sequence[TensorRef]) -> bool:
        """Whether the first axis of the output is that of the first input."""
        if node.op in _SAME_BATCH:
            return not node.attr['transpose_a'].b if node.op == 'MatMul' else True
        if node.op in _REDUCTIONS or node.op == 'ConcatV2':
            axes = self._whole(refs[-1])
            rank = len(self._sizes.get(refs[0]) or ())
            return axes is not None and rank > 0 and all(axis % rank for axis in axes)
        if node.op in ('Pad', 'PadV2', 'MirrorPad'):
            paddings = self._whole(refs[1])
            return paddings is not None and paddings[:2] == (0, 0)
        if node.op == 'Squeeze':
            return bool(node.attr['squeeze_dims'].list.i) and all(
                axis > 0 for axis in node.attr['squeeze_dims'].list.i
            )
        if node.op == 'ExpandDims':
            axes = self._whole(refs[1])
            return axes is not None and axes[0] > 0
        return False

    def _whole(self, ref: TensorRef) -> Optional[Tuple[int, ...]]:
        """The numbers in a tensor, if all are known."""
        found = [sizes.known(each) for each in self._numbers.get(ref) or (None,)]
        return None if None in found else tuple(each or 0 for each in found)

    def _count(self, node: tf.NodeDef, refs: Sequence[TensorRef]) -> None:
        """The numbers in what a node makes."""
        own = TensorRef(node.name, 0)
        if node.op == 'Const':
            self._numbers[own] = sizes.constant(node)
        elif node.op == 'Shape':
            self._numbers[own] = self._sizes.get(refs[0])
        elif node.op == 'ShapeN':
            for output, ref in enumerate(refs):
                self._numbers[TensorRef(node.name, output)] = self._sizes.get(ref)
        elif node.op in ('Size', 'Rank'):
            known = self._sizes.get(refs[0])
            if known is not None:
                is_rank = node.op == 'Rank'
                count = Size(len(known)) if is_rank else sizes.product(known)
                self._numbers[own] = (count,)
        elif node.op in ('Split', 'Unpack'):
            self._take_apart(node, refs)
        elif node.op in sizes.EVALUATED:
            self._numbers[own] = self._evaluated(node, refs)

    def _take_apart(self, node: tf.NodeDef, refs: Sequence[TensorRef]) -> None:
        numbers = self._numbers.get(refs[-1])
        count = node.attr['num' if node.op == 'Unpack' else 'num_split'].i
        if numbers is not None and count and len(numbers) % count == 0:
            step = len(numbers) // count
            for output in range(count):
                part = numbers[output * step : (output + 1) * step]
                self._numbers[TensorRef(node.name, output)] = part

    def _evaluated(self, node: tf.NodeDef, refs: Sequence[TensorRef]) -> Numbers:
        inputs = [self._numbers.get(ref) for ref in refs]
        ranks = [len(self._sizes.get(ref) or ()) for ref in refs]
        if not inputs or None in inputs or max(ranks) > 1:
            return None
        return sizes.EVALUATED[node.op](node, [each or () for each in inputs])


def _refine(tensor: tf.Tensor, found: Sequence[Optional[Size]]) -> None:
    """Tells TensorFlow a shape, unless the graph's own sizes do not fit together."""
    shape = [sizes.known(size) for size in found]
    is_shape = all(size is None or size >= 0 for size in shape)
    if is_shape and tensor.shape.is_compatible_with(shape):
        tensor.set_shape(shape)
