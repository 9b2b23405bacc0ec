"""Values of convolutions, dense layers and pooling."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from tf1pruning.channels import families, layout
from tf1pruning.channels.constant_rules.elementwise import multiply
from tf1pruning.channels.constants import RULES, VARYING, ConstantOp, channel_vector
from tf1pruning.channels.registry import Unsupported


def _mixed(x: np.ndarray, kernel: np.ndarray, borders: bool) -> np.ndarray:
    """Constant outputs `[out]` of a layer with inputs `x` `[in]`.

    An output varies if a varying input has a weight there, or a non-zero constant one
    where zero padding mixes with it. Only what is needed of a large kernel is copied.

    Args:
      x: `[in]` values, NaN where they vary.
      kernel: `[..., in, out]`.
      borders: whether zero padding mixes with the inputs.
    """
    varies = np.isnan(x) | ((x != 0) & borders)
    rows = kernel if varies.all() else kernel[..., varies, :]
    support = rows.any(axis=tuple(range(kernel.ndim - 1)))
    constant = ~varies & (x != 0)
    if not constant.any():
        return np.where(support, VARYING, 0.0)
    taps = tuple(range(kernel.ndim - 2))
    sums = kernel[..., constant, :].sum(axis=taps, dtype=np.float64)
    return np.where(support, VARYING, x[constant] @ sums)


def _kernel(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """The kernel as an array of its full shape."""
    if inputs[1].shape != op.input_shape(1):
        raise Unsupported('a computed kernel')
    return inputs[1]


@RULES.register_family(families.CONVOLUTIONS)
def _convolution(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    kernel, axis = _kernel(op, inputs), op.channel_axis()
    x = channel_vector(inputs[0], axis, kernel.shape[-2])
    borders = layout.pads_with_zeros(op.node, int(np.prod(kernel.shape[:-2])))
    return layout.along(_mixed(x, kernel, borders), axis, kernel.ndim)


@RULES.register_family(families.TRANSPOSED_CONVOLUTIONS)
def _transposed_convolution(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    kernel = np.swapaxes(_kernel(op, inputs), -1, -2)
    axis = layout.channel_axis(op.node, kernel.ndim)
    x = channel_vector(inputs[2], axis, kernel.shape[-2])
    out = _mixed(x, kernel, layout.spreads_unevenly(op.node, kernel.shape))
    return layout.along(out, axis, kernel.ndim)


@RULES.register(
    'DepthwiseConv2dNative', attributes='T strides padding data_format dilations'
)
def _depthwise(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    kernel, axis = _kernel(op, inputs), op.channel_axis()
    x = channel_vector(inputs[0], axis, kernel.shape[2])[:, np.newaxis]
    weights = kernel.sum(axis=(0, 1), dtype=np.float64)
    support = kernel.any(axis=(0, 1))
    if layout.pads_with_zeros(op.node, kernel.shape[0] * kernel.shape[1]):
        x = np.where(x == 0, x, VARYING)
    out = np.where(support, multiply(x, weights), 0.0)
    # Weights that cancel make the sum 0, but not the response to a varying input.
    out = np.where(support & np.isnan(x), VARYING, out)
    return layout.along(out.ravel(), axis, 4)


@RULES.register('MatMul', attributes='T transpose_a transpose_b')
@RULES.register('BatchMatMul', 'BatchMatMulV2', attributes='T adj_x adj_y')
def _dense(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    if inputs[1].shape != op.input_shape(1):
        return _product(op, inputs)
    x, kernel = inputs
    is_turned = op.attr('transpose_a').b or op.attr('adj_x').b
    if is_turned or kernel.size != np.prod(kernel.shape[-2:]):
        raise Unsupported('a transposed activation or a kernel for each example')
    kernel = kernel.reshape(kernel.shape[-2:])
    if op.attr('transpose_b').b or op.attr('adj_y').b:
        kernel = kernel.T
    x = channel_vector(x, x.ndim - 1, kernel.shape[0])
    out = _mixed(x, kernel, borders=False)
    rank = len(op.shape())
    return layout.along(out, rank - 1, rank)


def _product(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """A sum of products with a zero in each of them is zero."""
    x, y = (value != 0 for value in inputs)  # What varies is not zero.
    if x.ndim != y.ndim:
        raise Unsupported('tensors of other ranks')
    if op.attr('transpose_a').b or op.attr('adj_x').b:
        x = np.swapaxes(x, -1, -2)
    if op.attr('transpose_b').b or op.attr('adj_y').b:
        y = np.swapaxes(y, -1, -2)
    size = max(x.shape[-1], y.shape[-2])
    x = np.broadcast_to(x, (*x.shape[:-1], size))
    y = np.broadcast_to(y, (*y.shape[:-2], size, y.shape[-1]))
    return np.where(np.matmul(x, y), VARYING, 0.0)


@RULES.register_family(families.POOLING)
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
