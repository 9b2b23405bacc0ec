"""Ops that join tensors and shapes, or cut parts out of them.

Constants with the bounds of the parts follow the channels. A part that would become
empty keeps a channel.
"""

from __future__ import annotations

from typing import Sequence, Tuple, Union

import numpy as np

from tf1pruning.channels import layout
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import recurrent, sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Constant, Size, Sizes, Weight


@RULES.register('Concat', attributes='T N')
@RULES.register('ConcatV2', attributes='T N Tidx')
def concat(op: Op) -> Union[Activation, Sizes]:
    """Joins channels along their axis; along another axis unifies them."""
    at, positions = layout.concatenated(op.type, len(op.inputs))
    rank, axis = len(op.shape()), int(op.constant(at))
    axis %= rank
    arrays = sizes.arrays_of(op, positions)
    if arrays is not None:
        return Sizes(np.concatenate(arrays, axis))
    if all(op.kernel_like(i) is not None for i in positions):
        raise Unsupported('parts of a weight')
    # A weight among the parts has its channels along the axis that is joined.
    parts = [op.activation(i, axis - rank) for i in positions]
    one_each = op.shape()[axis] == len(parts)
    if not any(part.varies(axis) for part in parts) and not one_each:
        return _unified(op, parts)
    labels = [part.channels(axis) for part in parts]
    return Activation(op.shape(), layout.along(np.concatenate(labels), axis, rank))


def _unified(op: Op, parts: Sequence[Activation]) -> Activation:
    """Parts that lie beside each other along an axis without channels."""
    labels = parts[0].labels
    for part in parts[1:]:
        labels = op.join(labels, part.labels, 'is joined with fixed channels')
    return Activation(op.shape(), labels)


@RULES.register('Pack', attributes='T N axis')
def pack(op: Op) -> Union[Activation, Sizes]:
    """Sizes -> a shape, or a matrix of sizes; activations -> a new axis."""
    arrays = sizes.arrays_of(op, range(len(op.inputs)))
    if arrays is not None:
        return Sizes(np.stack(arrays, op.attr('axis').i))
    parts = [op.activation(i) for i in range(len(op.inputs))]
    axis = op.attr('axis').i % (parts[0].rank + 1)
    return _unified(op, [_raised(part, axis) for part in parts])


def _raised(x: Activation, axis: int) -> Activation:
    """An activation with an axis of size 1 more."""
    shape = x.shape
    return Activation((*shape[:axis], 1, *shape[axis:]), np.expand_dims(x.labels, axis))


@RULES.register('Unpack', attributes='T num axis')
def unpack(op: Op) -> Tuple[Union[Activation, Sizes], ...]:
    """A shape -> scalar sizes; an activation -> slices along an axis."""
    value = op.inputs[0]
    if isinstance(value, Sizes):
        return tuple(map(Sizes, np.moveaxis(value.array, op.attr('axis').i, 0)))
    x = op.activation(0)
    axis = op.attr('axis').i % x.rank
    if x.varies(axis):
        raise Unsupported('channels taken apart one by one')
    return _alike(op, np.squeeze(x.labels, axis), op.attr('num').i)


def _alike(op: Op, labels: np.ndarray, count: int) -> Tuple[Activation, ...]:
    """Parts that are cut along an axis without channels; each has all channels."""
    return tuple(Activation(op.shape(i), labels) for i in range(count))


@RULES.register('Split', attributes='T num_split')
def split(op: Op) -> Tuple[Union[Activation, Sizes, Weight], ...]:
    """Equal parts; along the channels, the parts are tied so that they stay equal."""
    count, value = op.attr('num_split').i, op.inputs[1]
    axis = int(op.constant(0))
    if isinstance(value, Sizes):
        return tuple(map(Sizes, np.split(value.array, count, axis)))
    kernel = op.kernel_like(1)
    if kernel is not None:
        axis %= len(kernel.shape)
        rows = _tied_rows(op, kernel.axes[axis], count)
        return tuple(kernel.part(axis, op.part(row)) for row in rows)
    x = op.activation(1)
    axis %= x.rank
    if not x.varies(axis):
        return _alike(op, x.labels, count)
    return _parts(op, _tied_rows(op, x.channels(axis), count), axis)


def _tied_rows(op: Op, labels: np.ndarray, count: int) -> np.ndarray:
    rows = labels.reshape(count, -1)
    op.unify(rows, rows[:1], 'is split into equal parts')
    return rows


@RULES.register('SplitV', attributes='T Tlen num_split')
def split_v(op: Op) -> Tuple[Union[Activation, Weight], ...]:
    """Parts of given sizes."""
    kernel, axis = op.kernel_like(0), int(op.constant(2))
    count = op.attr('num_split').i
    if kernel is not None:
        axis %= len(kernel.shape)
        rows = _rows(op, kernel.axes[axis], axis)
        return tuple(kernel.part(axis, op.part(row)) for row in rows)
    x = op.activation(0)
    axis %= x.rank
    if not x.varies(axis):
        return _alike(op, x.labels, count)
    return _parts(op, _rows(op, x.channels(axis), axis), axis)


def _rows(op: Op, labels: np.ndarray, axis: int) -> Sequence[np.ndarray]:
    """The labels of each part of a SplitV; its sizes follow them."""
    items, count = sizes.items_of(op, 1) or (), op.attr('num_split').i
    lengths = [op.shape(i)[axis] for i in range(count)]
    if len(items) != count or any(length is None for length in lengths):
        raise Unsupported('parts of computed sizes')
    bounds = np.cumsum([length or 0 for length in lengths])[:-1]
    rows = np.split(labels, bounds)
    for item, row in zip(items, rows):
        _count(op, item, row)
    return rows


def _parts(op: Op, rows: Sequence[np.ndarray], axis: int) -> Tuple[Activation, ...]:
    found = []
    for output, row in enumerate(rows):
        shape = op.shape(output)
        labels = layout.along(op.part(row), axis, len(shape))
        found.append(Activation(shape, labels))
    return tuple(found)


def _count(op: Op, size: Size, labels: np.ndarray) -> None:
    """Makes a constant follow the number of `labels`; -1 follows by itself."""
    if size.value is None:
        raise Unsupported('a part of computed size')
    if size.value != -1:
        op.size(size, labels)


@RULES.register('Slice', attributes='T Index')
def slice_(op: Op) -> Union[Activation, Sizes]:
    """A range of each axis; on a channel axis both numbers follow the channels."""
    if isinstance(op.inputs[0], Sizes):
        bounds = zip(op.constant(1), op.constant(2))
        index = [slice(b, None if size < 0 else b + size) for b, size in bounds]
        return Sizes(op.inputs[0].array[tuple(index)])
    x = op.activation(0)
    labels = x.labels
    begin, size = (sizes.items_of(op, i) or () for i in (1, 2))
    for axis in range(x.rank):
        if not x.varies(axis):
            continue
        length = op.shape()[axis]
        if len(begin) != x.rank or len(size) != x.rank or length is None:
            raise Unsupported('a slice of computed size')
        first = begin[axis].value or 0
        channels = x.channels(axis)
        part = op.part(channels[first : first + length])
        _count(op, begin[axis], channels[:first])
        _count(op, size[axis], part)
        labels = layout.along(part, axis, x.rank)
    return Activation(op.shape(), labels)


@RULES.register(
    'StridedSlice',
    attributes='T Index begin_mask end_mask ellipsis_mask new_axis_mask '
    'shrink_axis_mask',
)
def strided_slice(op: Op) -> Union[Activation, Sizes, Weight]:
    """Some sizes of a shape, or `x[begin:end:step, ...]`."""
    value = op.inputs[0]
    if isinstance(value, Constant):
        # TensorFlow writes a static shape as a constant.
        value = sizes.sizes_of(op, 0) or value
    if isinstance(value, Sizes):
        return _slice_of_sizes(op, value)
    kernel = op.kernel_like(0)
    if kernel is not None:
        return _slice_of_weight(op, kernel)
    x = op.activation(0)
    labels = x.labels
    elements = int(op.input_shape(1)[0] or 0)
    found = layout.strided_axes(op.node, x.rank, elements)
    for part in found:
        if part.element is not None and part.axis >= 0 and x.varies(part.axis):
            if part.shrinks:
                raise Unsupported('a single channel taken out')
            channels = _range(op, x.channels(part.axis), part.element)
            labels = layout.along(channels, part.axis, x.rank)
    shape = [
        1 if part.axis < 0 else labels.shape[part.axis]
        for part in found
        if not part.shrinks
    ]
    return Activation(op.shape(), labels.reshape(shape))


def _slice_of_weight(op: Op, weight: Weight) -> Weight:
    """A range of a weight along some of its axes."""
    elements = int(op.input_shape(1)[0] or 0)
    for part in layout.strided_axes(op.node, len(weight.shape), elements):
        if part.axis < 0 or part.shrinks:
            raise Unsupported('a slice that changes the axes of a weight')
        if part.element is not None:
            labels = _range(op, weight.axes[part.axis], part.element)
            weight = weight.part(part.axis, labels)
    return weight


def _range(op: Op, channels: np.ndarray, element: int) -> np.ndarray:
    """The channels between the bounds in an element of begin and end."""
    begin, end, step = (_element(op, i, element) for i in (1, 2, 3))
    if step.value != 1:
        raise Unsupported('a strided slice of channels')
    start = None if op.attr('begin_mask').i >> element & 1 else begin.value
    stop = None if op.attr('end_mask').i >> element & 1 else end.value
    first, last, _ = slice(start, stop).indices(len(channels))
    part = op.part(channels[first:last])
    if start is not None:
        op.size(begin, channels[:first])
    if stop is not None:
        op.size(end, channels[:last])
    return part


def _element(op: Op, position: int, element: int) -> Size:
    """An element of a constant vector."""
    items = sizes.items_of(op, position)
    if items is None or items[element].value is None:
        raise Unsupported('a slice with computed bounds')
    return items[element]


def _slice_of_sizes(op: Op, value: Sizes) -> Sizes:
    bounds = [op.constant(position) for position in (1, 2, 3)]
    axes = layout.strided_axes(op.node, value.array.ndim, len(bounds[0]))
    index = [layout.strided_index(op.node, axis, bounds) for axis in axes]
    return Sizes(value.array[tuple(index)])


@RULES.register('GatherV2', attributes='Tparams Tindices Taxis batch_dims')
@RULES.register('Gather', attributes='Tparams Tindices validate_indices')
def gather(op: Op) -> Union[Activation, Sizes]:
    """Picks channels, or sizes of a shape, by constant indices; rows by any."""
    if op.attr('batch_dims').i:
        raise Unsupported('indices for each example')
    axis = int(op.constant(2)) if op.type == 'GatherV2' else 0
    if isinstance(op.inputs[0], Sizes):
        return Sizes(op.inputs[0].array.take(op.constant(1), axis))
    table = op.kernel_like(0) if axis == 0 else None
    if table is not None and len(table.shape) > 1:
        return recurrent.embedding(op, table)
    x = op.activation(0)
    axis %= x.rank
    if not x.varies(axis):
        # Another axis may move: as many new axes as the indices have.
        op.freeze_value(op.inputs[1], 'is used as numbers')
        shape, new = x.labels.shape, len(op.input_shape(1))
        shape = (*shape[:axis], *(1,) * new, *shape[axis + 1 :])
        return Activation(op.shape(), x.labels.reshape(shape))
    indices: np.ndarray = op.constant(1)
    if indices.ndim != 1:
        raise Unsupported('indices of channels that are no vector')
    channels = x.channels(axis)
    op.index(1, channels)
    picked_channels = op.part(channels[indices])
    return Activation(op.shape(), layout.along(picked_channels, axis, x.rank))
