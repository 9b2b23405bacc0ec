"""Which channels do not depend on the input, and what value they have.

The graph is interpreted once more, now with numbers: every tensor becomes an array of
its rank, with size 1 on axes along which nothing changes, that holds the value of a
channel if it provably does not depend on the input, else NaN ("varying"). Ordinary
NumPy arithmetic then does the right thing, but for `0 * varying = 0` and for kernels.

An op without a rule makes everything varying, which is always safe. Weights are assumed
to be finite.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tf1pruning.channels import layout
from tf1pruning.channels.registry import Registry, Unsupported
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.model import Model
from tf1pruning.names import TensorRef

RULES: Registry = Registry('constant')

VARYING = np.nan


class ConstantOp:
    """A node as a rule sees it."""

    def __init__(self, node: tf.NodeDef, view: view_lib.GraphView):
        self.node = node
        self._view = view

    def attr(self, name: str) -> attr_value_pb2.AttrValue:
        """An attribute of the node."""
        return view_lib.attribute(self.node, name)

    def shape(self) -> view_lib.Shape:
        """Static shape of the first output."""
        return self.shape_of(TensorRef(self.node.name, 0))

    def input_shape(self, position: int) -> view_lib.Shape:
        """Static shape of an input."""
        return self.shape_of(view_lib.data_inputs(self.node)[position])

    def shape_of(self, ref: TensorRef) -> view_lib.Shape:
        """Static shape of a tensor; Unsupported if its rank is unknown."""
        shape = self._view.shape(ref)
        if shape is None:
            raise Unsupported('unknown rank')
        return shape

    def channel_axis(self) -> int:
        """Axis of the channels, from `data_format`."""
        return layout.channel_axis(self.node, len(self.input_shape(0)))


def find_constants(
    model: Model, arrays: Mapping[str, np.ndarray]
) -> Dict[TensorRef, np.ndarray]:
    """Values of all tensors of a model, NaN where they vary.

    Args:
      model: the inference graph.
      arrays: variable node -> array.
    """
    view = model.view()
    values: Dict[TensorRef, np.ndarray] = {}
    with np.errstate(all='ignore'):
        for node in model.graph_def.node:
            refs = view_lib.data_inputs(node)
            inputs = [
                values[ref] if ref in values else _varying(view, ref) for ref in refs
            ]
            values[TensorRef(node.name, 0)] = _value(node, inputs, view, arrays)
    return values


def _value(
    node: tf.NodeDef,
    inputs: List[np.ndarray],
    view: view_lib.GraphView,
    arrays: Mapping[str, np.ndarray],
) -> np.ndarray:
    if node.name in arrays:
        return arrays[node.name]
    try:
        rule = RULES.find(node)
        if rule is not None:
            return rule(ConstantOp(node, view), inputs)
    except (Unsupported, ValueError, IndexError):
        pass  # Varying is always a safe answer.
    return _varying(view, TensorRef(node.name, 0))


def _varying(view: view_lib.GraphView, ref: TensorRef) -> np.ndarray:
    return np.full((1,) * len(view.shape(ref) or ()), VARYING)


def channel_vector(value: np.ndarray, axis: int, size: int) -> np.ndarray:
    """`[size]` values along one axis; varying if they change along another."""
    other = tuple(a for a in range(value.ndim) if a != axis)
    if any(value.shape[a] > 1 for a in other):
        low, high = value.min(axis=other), value.max(axis=other)
        value = np.where(low == high, low, VARYING)
    return np.broadcast_to(np.ravel(value), (size,))


@RULES.register('Const', attributes='dtype value')
def _const(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return tf.make_ndarray(op.node.attr['value'].tensor)


@RULES.register(
    'Identity',
    'IdentityN',
    'ReadVariableOp',
    'StopGradient',
    'PreventGradient',
    'CheckNumerics',
    'Snapshot',
    attributes='T dtype message',
)
def _identity(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return inputs[0]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


_UNARY: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'Abs': np.abs,
    'Elu': lambda x: np.where(x > 0, x, np.expm1(x)),
    'Exp': np.exp,
    'Neg': np.negative,
    'Relu': lambda x: np.maximum(x, 0),
    'Relu6': lambda x: np.clip(x, 0, 6),
    'Rsqrt': lambda x: 1 / np.sqrt(x),
    'Selu': _selu,
    'Sigmoid': _sigmoid,
    'Softplus': lambda x: np.logaddexp(x, 0),
    'Sqrt': np.sqrt,
    'Square': np.square,
    'Tanh': np.tanh,
}


@RULES.register(*_UNARY, attributes='T')
def _unary(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _UNARY[op.node.op](inputs[0].astype(np.float64))


@RULES.register('LeakyRelu', attributes='T alpha')
def _leaky_relu(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0].astype(np.float64)
    return np.where(x > 0, x, op.attr('alpha').f * x)


def _multiply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Product in which a zero wins over a varying factor."""
    return np.where((x == 0) | (y == 0), 0.0, x * y)


_BINARY: Dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    'Add': np.add,
    'AddV2': np.add,
    'Maximum': np.maximum,
    'Minimum': np.minimum,
    'Mul': _multiply,
    'RealDiv': np.divide,
    'SquaredDifference': lambda x, y: np.square(x - y),
    'Sub': np.subtract,
}


@RULES.register(*_BINARY, attributes='T')
def _binary(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, y = (value.astype(np.float64) for value in inputs)
    return _BINARY[op.node.op](x, y)


@RULES.register('AddN', attributes='T N')
def _add_n(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return sum(value.astype(np.float64) for value in inputs)


@RULES.register('BiasAdd', attributes='T data_format')
def _bias_add(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, bias = inputs
    return x + layout.along(bias.astype(np.float64), op.channel_axis(), x.ndim)


@RULES.register(
    'FusedBatchNorm',
    'FusedBatchNormV2',
    'FusedBatchNormV3',
    attributes='T U epsilon data_format is_training',
)
def _batch_norm(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    if op.attr('is_training').b:
        raise Unsupported('training mode')
    x, axis = inputs[0].astype(np.float64), op.channel_axis()
    gamma, beta, mean, variance = (
        layout.along(v.astype(np.float64), axis, x.ndim) for v in inputs[1:5]
    )
    scale = gamma / np.sqrt(variance + op.attr('epsilon').f)
    return _multiply(x - mean, scale) + beta


def _sum_and_support(
    kernel: np.ndarray, spatial: Tuple[int, ...]
) -> Tuple[np.ndarray, np.ndarray]:
    return kernel.sum(axis=spatial, dtype=np.float64), (kernel != 0).any(axis=spatial)


def _mixed(
    x: np.ndarray, weights: np.ndarray, support: np.ndarray, borders: bool
) -> np.ndarray:
    """Constant outputs `[out]` of a layer with inputs `x` `[in]`.

    An output varies if a varying input has a weight there, or a non-zero constant one
    where zero padding mixes with it.
    """
    varies = np.isnan(x) | ((x != 0) & borders)
    constant = np.where(varies, 0, x) @ weights
    return np.where(support[varies].any(axis=0), VARYING, constant)


@RULES.register(
    'Conv2D',
    attributes='T strides use_cudnn_on_gpu padding explicit_paddings data_format '
    'dilations',
)
def _conv2d(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    kernel, axis = inputs[1], op.channel_axis()
    if kernel.shape != op.input_shape(1) or (
        op.input_shape(0)[axis] != kernel.shape[2]
    ):
        raise Unsupported('a grouped or computed kernel')
    x = channel_vector(inputs[0], axis, kernel.shape[2])
    weights, support = _sum_and_support(kernel, (0, 1))
    borders = layout.pads_with_zeros(op.node, kernel.shape[0] * kernel.shape[1])
    return layout.along(_mixed(x, weights, support, borders), axis, 4)


@RULES.register(
    'DepthwiseConv2dNative', attributes='T strides padding data_format dilations'
)
def _depthwise(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    kernel, axis = inputs[1], op.channel_axis()
    if kernel.shape != op.input_shape(1):
        raise Unsupported('a computed kernel')
    x = channel_vector(inputs[0], axis, kernel.shape[2])[:, np.newaxis]
    weights, support = _sum_and_support(kernel, (0, 1))
    if layout.pads_with_zeros(op.node, kernel.shape[0] * kernel.shape[1]):
        x = np.where(x == 0, x, VARYING)
    out = np.where(support, _multiply(x, weights), 0.0)
    # Weights that cancel make the sum 0, but not the response to a varying input.
    out = np.where(support & np.isnan(x), VARYING, out)
    return layout.along(out.ravel(), axis, 4)


@RULES.register('MatMul', attributes='T transpose_a transpose_b')
def _matmul(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, kernel = inputs
    if op.attr('transpose_a').b or kernel.shape != op.input_shape(1):
        raise Unsupported('a transposed activation or a computed kernel')
    if op.attr('transpose_b').b:
        kernel = kernel.T
    x = channel_vector(x, 1, kernel.shape[0])
    weights, support = _sum_and_support(kernel, ())
    return _mixed(x, weights, support, borders=False)[np.newaxis]


@RULES.register(
    'AvgPool',
    'MaxPool',
    attributes='T ksize strides padding data_format explicit_paddings',
)
@RULES.register(
    'ResizeBilinear',
    'ResizeNearestNeighbor',
    attributes='T align_corners half_pixel_centers',
)
def _same_everywhere(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Averages, maxima and interpolations of equal values are that value."""
    x = inputs[0]
    axis = op.channel_axis()
    return layout.along(channel_vector(x, axis, x.shape[axis]), axis, x.ndim)


@RULES.register('Pad', attributes='T Tpaddings')
def _pad(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.where(inputs[0] == 0, 0.0, VARYING)


@RULES.register('Max', 'Mean', 'Min', attributes='T Tidx keep_dims')
def _reduce(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    axes = tuple(int(a) % x.ndim for a in np.ravel(inputs[1]))
    keep = op.attr('keep_dims').b
    low, high = x.min(axis=axes, keepdims=keep), x.max(axis=axes, keepdims=keep)
    return np.where(low == high, low, VARYING)


@RULES.register('Squeeze', attributes='T squeeze_dims')
def _squeeze(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return layout.squeeze(inputs[0], op.input_shape(0), op.node)


@RULES.register('ExpandDims', attributes='T Tdim')
def _expand_dims(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return layout.expand_dims(inputs[0], inputs[1])


@RULES.register('Transpose', attributes='T Tperm')
def _transpose(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.transpose(inputs[0], inputs[1])


@RULES.register('Reshape', attributes='T Tshape')
def _reshape(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return layout.reshape(inputs[0], op.input_shape(0), op.shape())


@RULES.register('ConcatV2', attributes='T N Tidx')
def _concat(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    parts, rank = inputs[:-1], len(op.shape())
    axis = int(inputs[-1]) % rank
    rows = []
    for position, part in enumerate(parts):
        size = op.input_shape(position)[axis]
        if size is None:
            raise Unsupported('a part of unknown size')
        rows.append(channel_vector(part, axis, size))
    return layout.along(np.concatenate(rows), axis, rank)
