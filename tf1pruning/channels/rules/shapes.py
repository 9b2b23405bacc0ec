"""Ops that move values without changing them, and the shape arithmetic they read."""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from tf1pruning.channels import layout
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import RULES, Op, Tracer
from tf1pruning.channels.values import Activation, Constant, Size, Sizes


@RULES.register('Squeeze', attributes='T squeeze_dims')
def squeeze(op: Op, tracer: Tracer) -> Activation:
    """Drops axes of size 1."""
    del tracer
    x = op.activation(0)
    return Activation(op.shape(), layout.squeeze(x.labels, x.shape or (), op.node))


@RULES.register('ExpandDims', attributes='T Tdim')
def expand_dims(op: Op, tracer: Tracer) -> Activation:
    """Inserts an axis of size 1."""
    del tracer
    x = op.activation(0)
    return Activation(op.shape(), layout.expand_dims(x.labels, op.constant(1)))


@RULES.register('Transpose', attributes='T Tperm')
def transpose(op: Op, tracer: Tracer) -> Activation:
    """Permutes the axes."""
    del tracer
    x = op.activation(0)
    return Activation(op.shape(), np.transpose(x.labels, op.constant(1)))


@RULES.register('ConcatV2', attributes='T N Tidx')
def concat(op: Op, tracer: Tracer) -> Activation:
    """Joins channels along their axis; along another axis unifies them."""
    parts = [op.activation(i) for i in range(len(op.inputs) - 1)]
    rank = parts[0].rank
    axis = int(op.constant(len(parts))) % rank
    reason = f'is joined with fixed channels in {op.name!r}'
    if not any(part.varies(axis) for part in parts) and op.shape()[axis] != len(parts):
        for part in parts[1:]:
            tracer.labels.unify(parts[0].labels, part.labels, reason)
        return Activation(op.shape(), parts[0].labels)
    if any(part.varies(a) for part in parts for a in range(rank) if a != axis):
        raise Unsupported('channels along several axes')
    labels = []
    for part in parts:
        size = (part.shape or ())[axis]
        if size is None:
            raise Unsupported('a part of unknown size')
        labels.append(np.broadcast_to(part.labels.ravel(), (size,)))
    shape = [1] * rank
    shape[axis] = -1
    return Activation(op.shape(), np.concatenate(labels).reshape(shape))


@RULES.register('Reshape', attributes='T Tshape')
def reshape(op: Op, tracer: Tracer) -> Activation:
    """Repeats the labels over the axes that are merged, then cuts them anew."""
    x = op.activation(0)
    labels = layout.reshape(x.labels, x.shape or (), op.shape())
    varying = [axis for axis in range(labels.ndim) if labels.shape[axis] > 1]
    if len(varying) > 1:
        raise Unsupported('channels split over several axes')
    sizes = _target_sizes(op)
    for axis in range(labels.ndim):
        counted = labels.ravel() if axis in varying else None
        _bind_size(op, tracer, sizes[axis], counted)
    return Activation(op.shape(), labels)


def _target_sizes(op: Op) -> Tuple[Size, ...]:
    """The sizes that a Reshape asks for."""
    target = op.inputs[1]
    if isinstance(target, Constant):
        target = Sizes(_items(target, op.name, 1))
    if not isinstance(target, Sizes) or len(target.items) != len(op.shape()):
        raise Unsupported('a computed shape')
    return target.items


def _bind_size(
    op: Op, tracer: Tracer, size: Size, labels: Optional[np.ndarray]
) -> None:
    """Ties a size to the labels of the axis that it describes; None: no channels."""
    counted = size.labels
    if labels is None:
        if counted is not None and counted.size > 1:
            tracer.labels.freeze(counted, f'has its size used in {op.name!r}')
    elif size.value is not None:
        if size.value >= 0:
            tracer.size(size, labels)
    elif counted is None or counted.size != labels.size:
        tracer.labels.freeze(labels, f'is reshaped to a computed size in {op.name!r}')
        if counted is not None:
            tracer.labels.freeze(counted, f'has its size used in {op.name!r}')
    else:
        reason = f'is reshaped to the size of fixed channels in {op.name!r}'
        tracer.labels.unify(labels, counted, reason)


def _items(constant: Constant, consumer: str, position: int) -> Tuple[Size, ...]:
    flat = np.ravel(constant.value)
    return tuple(
        Size(
            value=int(value),
            node=constant.node.name,
            consumer=consumer,
            position=position,
            element=element,
        )
        for element, value in enumerate(flat)
    )


@RULES.register('Shape', attributes='T out_type')
def shape_of(op: Op, tracer: Tracer) -> Sizes:
    """Sizes that follow the tensor by themselves."""
    del tracer
    x = op.inputs[0]
    if not isinstance(x, Activation) or x.shape is None:
        raise Unsupported('an input of unknown rank')
    axes = range(x.rank)
    if sum(x.varies(axis) for axis in axes) > 1:
        raise Unsupported('channels along several axes')
    counted = [x.labels.ravel() if x.varies(a) else None for a in axes]
    return Sizes(tuple(Size(labels=labels) for labels in counted))


@RULES.register('Pack', attributes='T N axis')
def pack(op: Op, tracer: Tracer) -> Sizes:
    """Scalar sizes -> a shape."""
    del tracer
    items: List[Size] = []
    for position, value in enumerate(op.inputs):
        if isinstance(value, Constant) and value.shape == ():
            items += _items(value, op.name, position)
        elif isinstance(value, Sizes) and value.scalar:
            items += value.items
        else:
            raise Unsupported('an input that is not a size')
    return Sizes(tuple(items))


@RULES.register(
    'StridedSlice',
    attributes='T Index begin_mask end_mask ellipsis_mask new_axis_mask '
    'shrink_axis_mask',
)
def strided_slice(op: Op, tracer: Tracer) -> Sizes:
    """Some sizes of a shape."""
    del tracer
    sizes = op.inputs[0]
    if not isinstance(sizes, Sizes) or sizes.scalar:
        raise Unsupported('a slice of an activation')
    if op.attr('ellipsis_mask').i or op.attr('new_axis_mask').i:
        raise Unsupported('a slice with an ellipsis or a new axis')
    begin, end, step = (int(op.constant(i)[0]) for i in (1, 2, 3))
    if op.attr('shrink_axis_mask').i:
        return Sizes((sizes.items[begin],), scalar=True)
    start = None if op.attr('begin_mask').i else begin
    stop = None if op.attr('end_mask').i else end
    return Sizes(sizes.items[slice(start, stop, step)])
