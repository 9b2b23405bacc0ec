"""Convolutions and dense layers: what binds channels to the axes of a kernel."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from tf1pruning.channels import families, layout, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.trace_result import CONSUMER, PRODUCER
from tf1pruning.channels.values import Activation, Weight

DEPTHWISE_CHANNEL, DEPTHWISE_MULTIPLIER = 2, 3


def _image(op: Op, position: int, rank: int) -> Tuple[np.ndarray, int]:
    """Channel labels of an image and their axis."""
    x = op.activation(position)
    if x.rank != rank:
        raise Unsupported(f'an input of rank {x.rank}')
    axis = layout.channel_axis(op.node, rank)
    return x.channels(axis), axis


def _pixels(shape: Tuple[Optional[int], ...], axis: int) -> Optional[int]:
    """Pixels of one example."""
    found = [size for a, size in enumerate(shape) if a not in (0, axis)]
    if any(size is None for size in found):
        return None
    return int(np.prod([size or 0 for size in found], dtype=np.int64))


def _freeze_axes(op: Op, weight: Weight, *axes: int) -> int:
    """Freezes the spatial axes of a kernel; returns their joint size."""
    for axis in axes:
        op.freeze(weight.axes[axis], 'is a spatial axis')
    return int(np.prod([weight.shape[axis] for axis in axes]))


def _read(op: Op, kernel: Weight, axis: int, channels: np.ndarray) -> None:
    """Binds the channels of the input to an axis of the kernel."""
    labels = op.use(kernel, axis, CONSUMER)
    op.unify(labels, channels, 'reads fixed channels')


@RULES.register_family(families.CONVOLUTIONS)
def convolution(op: Op) -> Activation:
    """Binds the input's channels to the last but one axis, makes those of the last.

    In a grouped convolution every group reads the same axis of the kernel, so the
    groups' inputs are tied together, and so are their outputs.
    """
    kernel = op.weight(1)
    rank = len(kernel.shape)
    channels, axis = _image(op, 0, rank)
    size, made = kernel.shape[-2:]
    groups = len(channels) // max(size, 1)
    if groups * size != len(channels) or made % max(groups, 1):
        raise Unsupported(f'{len(channels)} channels into kernel {kernel.shape}')
    taps = _freeze_axes(op, kernel, *range(rank - 2))
    _read(op, kernel, rank - 2, channels.reshape(groups, size))
    makes = op.use(kernel, rank - 1, PRODUCER)
    per_group = makes.reshape(groups, -1)
    op.unify(per_group, per_group[:1], 'is in one of several groups')
    op.kernel(
        kernel,
        in_axis=rank - 2,
        out_axis=rank - 1,
        positions=_pixels(op.shape(), axis),
        taps=taps,
        borders=layout.pads_with_zeros(op.node, taps),
    )
    return Activation(op.shape(), layout.along(makes, axis, rank))


@RULES.register_family(families.TRANSPOSED_CONVOLUTIONS)
def transposed_convolution(op: Op) -> Activation:
    """Kernel `[..., out, in]`; the output's channel count stands in the first input."""
    kernel = op.weight(1)
    rank = len(kernel.shape)
    channels, axis = _image(op, 2, rank)
    taps = _freeze_axes(op, kernel, *range(rank - 2))
    _read(op, kernel, rank - 1, channels)
    makes = op.use(kernel, rank - 2, PRODUCER)
    labels = layout.along(makes, axis, rank)
    sizes.bind_shape(op, 0, labels)
    op.kernel(
        kernel,
        in_axis=rank - 1,
        out_axis=rank - 2,
        positions=_pixels(op.activation(2).shape, axis),
        taps=taps,
        borders=layout.spreads_unevenly(op.node, kernel.shape),
        reads=2,
    )
    return Activation(op.shape(), labels)


@RULES.register(
    'DepthwiseConv2dNative', attributes='T strides padding data_format dilations'
)
def depthwise_convolution(op: Op) -> Activation:
    """Channel c becomes the channels c * multiplier ... of the output."""
    kernel = op.weight(1)
    channels, axis = _image(op, 0, 4)
    taps = _freeze_axes(op, kernel, 0, 1)
    _freeze_axes(op, kernel, DEPTHWISE_MULTIPLIER)
    labels = op.use(kernel, DEPTHWISE_CHANNEL, PRODUCER)
    op.unify(labels, channels, 'reads fixed channels')
    op.kernel(
        kernel,
        in_axis=DEPTHWISE_CHANNEL,
        out_axis=DEPTHWISE_CHANNEL,
        positions=_pixels(op.shape(), axis),
        taps=taps,
        borders=layout.pads_with_zeros(op.node, taps),
    )
    out = np.repeat(labels, kernel.shape[DEPTHWISE_MULTIPLIER])
    return Activation(op.shape(), layout.along(out, axis, 4))


@RULES.register('MatMul', attributes='T transpose_a transpose_b')
@RULES.register('BatchMatMul', 'BatchMatMulV2', attributes='T adj_x adj_y')
def dense(op: Op) -> Activation:
    """A dense layer: activation `[..., in]` times weight `[in, out]`."""
    if all(isinstance(value, Activation) for value in op.inputs):
        return _product(op, op.activation(0), op.activation(1))
    if op.attr('transpose_a').b or op.attr('adj_x').b:
        raise Unsupported('a transposed activation')
    kernel, x = op.weight(1), op.activation(0)
    rank = len(kernel.shape)
    if rank < 2 or any(size != 1 for size in kernel.shape[:-2]):
        raise Unsupported(f'a kernel of shape {kernel.shape}')
    in_axis, out_axis = rank - 2, rank - 1
    if op.attr('transpose_b').b or op.attr('adj_y').b:
        in_axis, out_axis = out_axis, in_axis
    _read(op, kernel, in_axis, x.channels(x.rank - 1))
    makes = op.use(kernel, out_axis, PRODUCER)
    op.kernel(
        kernel,
        in_axis=in_axis,
        out_axis=out_axis,
        positions=_pixels(x.shape, x.rank - 1),
    )
    out_rank = len(op.shape())
    return Activation(op.shape(), layout.along(makes, out_rank - 1, out_rank))


def _product(op: Op, x: Activation, y: Activation) -> Activation:
    """Activation `[..., m, k]` times activation `[..., k, n]`, as in attention."""
    rank = len(op.shape())
    if x.rank != rank or y.rank != rank:
        raise Unsupported('a product of tensors of other ranks')
    rows, columns = rank - 2, rank - 1
    x_axes = (columns, rows) if op.attr('transpose_a').b or op.attr('adj_x').b else None
    y_axes = (columns, rows) if op.attr('transpose_b').b or op.attr('adj_y').b else None
    (rows_of_x, inner_of_x), (inner_of_y, columns_of_y) = (
        axes or (rows, columns) for axes in (x_axes, y_axes)
    )
    if x.varies(inner_of_x) or y.varies(inner_of_y):
        if not (x.varies(inner_of_x) and y.varies(inner_of_y)):
            raise Unsupported('a factor that is computed, not a weight')
        inner = x.channels(inner_of_x), y.channels(inner_of_y)
        labels = op.join(*inner, 'is multiplied by fixed channels')
        op.summation([(0, inner_of_x), (1, inner_of_y)], labels)
        return values.fixed(op.shape())
    left = np.swapaxes(x.labels, columns, inner_of_x)
    right = np.swapaxes(y.labels, rows, inner_of_y)
    batch = range(rows)
    in_batch = any(x.varies(a) or y.varies(a) for a in batch)
    if in_batch + x.varies(rows_of_x) + y.varies(columns_of_y) > 1:
        raise Unsupported('channels along several axes of a product')
    if in_batch:
        return Activation(op.shape(), op.join(left, right, 'meets fixed channels'))
    if x.varies(rows_of_x) or y.varies(columns_of_y):
        return Activation(op.shape(), left if x.varies(rows_of_x) else right)
    return values.fixed(op.shape())
