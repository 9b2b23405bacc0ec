"""Ops that give a tensor another shape.

A rule does to the labels what the op does to the values. Where an op must keep a
regular grid (channel shuffle, DepthToSpace) the channels in one column of the grid are
tied together, so that what is left is a grid again.
"""

from __future__ import annotations

from typing import List, Optional, Union

import numpy as np

from tf1pruning.channels import layout, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Sizes, Weight


@RULES.register('Squeeze', attributes='T squeeze_dims')
def squeeze(op: Op) -> Union[Activation, Sizes, Weight]:
    """Drops axes of size 1."""
    value = op.inputs[0]
    if isinstance(value, Sizes):
        dropped = layout.squeezed_axes(value.array.shape, op.node)
        return Sizes(np.squeeze(value.array, dropped))
    kernel = op.kernel_like(0)
    if kernel is not None:
        dropped = layout.squeezed_axes(kernel.shape, op.node)
        return kernel.view([a for a in range(len(kernel.shape)) if a not in dropped])
    x = op.activation(0)
    return Activation(
        op.shape(), np.squeeze(x.labels, layout.squeezed_axes(x.shape, op.node))
    )


@RULES.register('ExpandDims', attributes='T Tdim')
def expand_dims(op: Op) -> Union[Activation, Sizes, Weight]:
    """Inserts an axis of size 1; makes a vector of a size."""
    value = op.inputs[0]
    if isinstance(value, Sizes):
        return Sizes(np.expand_dims(value.array, int(op.constant(1))))
    kernel = op.kernel_like(0)
    if kernel is not None:
        axes: List[Optional[int]] = list(range(len(kernel.shape)))
        axes.insert(int(op.constant(1)) % (len(axes) + 1), None)
        return kernel.view(axes)
    x = op.activation(0)
    return Activation(op.shape(), np.expand_dims(x.labels, int(op.constant(1))))


@RULES.register('Transpose', attributes='T Tperm')
def transpose(op: Op) -> Union[Activation, Sizes, Weight]:
    """Permutes the axes."""
    order = [int(axis) for axis in op.constant(1)]
    if isinstance(op.inputs[0], Sizes):
        return Sizes(np.transpose(op.inputs[0].array, order))
    kernel = op.kernel_like(0)
    if kernel is not None:
        return kernel.view(order)
    x = op.activation(0)
    return Activation(op.shape(), np.transpose(x.labels, order))


@RULES.register('Reshape', attributes='T Tshape')
def reshape(op: Op) -> Union[Activation, Sizes, Weight]:
    """Repeats the labels over the axes that are merged, then cuts them again."""
    value = op.inputs[0]
    if isinstance(value, Sizes):
        return Sizes(value.array.reshape(op.constant(1)))
    kernel = reshaped_kernel(op)
    if kernel is not None:
        return kernel
    x, shape = op.activation(0), sizes.described_shape(op, 1)
    labels = layout.reshape(x.labels, x.shape, shape)
    labels = _tied(op, labels)
    sizes.bind_shape(op, 1, labels)
    return Activation(shape, labels)


def reshaped_kernel(op: Op) -> Optional[Weight]:
    """A weight that only gains or loses axes of size 1."""
    kernel = op.kernel_like(0)
    axes = layout.same_axes(kernel.shape, op.shape()) if kernel is not None else None
    if kernel is None or axes is None:
        return None
    kernel = kernel.view(axes)
    sizes.bind_axes(op, 1, [v if v.size > 1 else None for v in kernel.axes])
    return kernel


def _tied(op: Op, labels: np.ndarray) -> np.ndarray:
    """Ties a grid along all of its axes but the longest; varies along that one only."""
    longest = int(np.argmax(labels.shape)) if labels.ndim else 0
    for axis in range(labels.ndim):
        if axis != longest and labels.shape[axis] > 1:
            first = labels.take([0], axis)
            op.unify(labels, first, 'forms a grid')
            labels = first
    return labels


@RULES.register('DepthToSpace', attributes='T block_size data_format')
def depth_to_space(op: Op) -> Activation:
    """Pixel shuffle: ties the block_size^2 channels that form one output channel."""
    x = op.activation(0)
    axis = layout.channel_axis(op.node, x.rank)
    rows = x.channels(axis).reshape(op.attr('block_size').i ** 2, -1)
    op.unify(rows, rows[:1], 'makes one channel')
    return Activation(op.shape(), layout.along(rows[0], axis, x.rank))


@RULES.register('SpaceToDepth', attributes='T block_size data_format')
def space_to_depth(op: Op) -> Activation:
    """Each channel becomes block_size^2 channels."""
    x = op.activation(0)
    axis = layout.channel_axis(op.node, x.rank)
    channels = np.tile(x.channels(axis), op.attr('block_size').i ** 2)
    return Activation(op.shape(), layout.along(channels, axis, x.rank))


@RULES.register('Tile', attributes='T Tmultiples')
def tile(op: Op) -> Activation:
    """Repeats the labels along a channel axis."""
    x = op.activation(0)
    items = sizes.items_of(op, 1)
    if items is None or len(items) != x.rank:
        raise Unsupported('computed multiples')
    labels = x.labels
    for axis, item in enumerate(items):
        if item.labels is not None:
            op.freeze(item.labels, 'has its size used as a number')
        if x.varies(axis):
            if item.number is None:
                raise Unsupported('computed multiples')
            labels = np.concatenate([labels] * item.number, axis)
    return Activation(op.shape(), labels)


@RULES.register('BroadcastTo', attributes='T Tidx')
def broadcast_to(op: Op) -> Activation:
    """Spreads what has size 1; the shape follows the channels."""
    x, shape = op.activation(0), sizes.described_shape(op, 1)
    labels = x.labels.reshape((1,) * (len(shape) - x.rank) + x.labels.shape)
    sizes.bind_shape(op, 1, labels)
    return Activation(shape, labels)


@RULES.register('EnsureShape', attributes='T shape')
def ensure_shape(op: Op) -> Activation:
    """Checks a shape that it states."""
    x = op.activation(0)
    op.states_shape(op.name, 'shape', x.labels)
    return Activation(op.shape(), x.labels)


@RULES.register('Fill', attributes='T index_type')
def fill(op: Op) -> Activation:
    """A tensor of one value: its channels are counted by its shape."""
    items = sizes.items_of(op, 0)
    counting = [a for a, i in enumerate(items or ()) if i.labels is not None]
    if items is None or len(counting) > 1:
        raise Unsupported('a computed shape')
    op.tracer.freeze_value(op.inputs[1], f'fills {op.name!r}')
    for axis in counting:
        labels = items[axis].labels
        assert labels is not None
        return Activation(op.shape(), layout.along(labels, axis, len(items)))
    return _filled(op)


def _filled(op: Op) -> Activation:
    """A tensor of a fixed shape: channels of its own along the last axis."""
    shape = op.shape()
    if len(shape) < 2 or shape[-1] is None:
        return values.fixed(shape)
    labels = layout.along(op.tracer.labels.fresh(shape[-1]), len(shape) - 1, len(shape))
    sizes.bind_shape(op, 0, labels)
    return Activation(shape, labels)
