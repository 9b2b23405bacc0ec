"""Shapes as values in the graph, in which channel counts hide.

A size is fixed by a constant, which must then shrink with its channels, or taken from a
tensor at run time, which ties the channels on both sides.
"""

from __future__ import annotations

import operator
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Constant, Size, Sizes, Weight
from tf1pruning.graph.view import Shape

_ARITHMETIC: Dict[str, Callable[[int, int], int]] = {
    'Add': operator.add,
    'AddV2': operator.add,
    'FloorDiv': operator.floordiv,
    'FloorMod': operator.mod,
    'Maximum': max,
    'Minimum': min,
    'Mul': operator.mul,
    'Sub': operator.sub,
}


def sizes_of(op: Op, position: int) -> Optional[Sizes]:
    """The whole numbers in an input; None if it holds something else."""
    value = op.inputs[position]
    if isinstance(value, Sizes):
        return value
    if not isinstance(value, Constant) or np.prod(value.shape) > layout.FEW:
        return None
    if not tf.as_dtype(value.node.attr['dtype'].type).is_integer:
        return None
    items = [
        Size(
            value=int(number),
            node=value.node.name,
            consumer=op.name,
            position=position,
            element=element,
        )
        for element, number in enumerate(np.ravel(value.value))
    ]
    return Sizes(np.array(items, object).reshape(value.shape))


def items_of(op: Op, position: int) -> Optional[Tuple[Size, ...]]:
    """The sizes in an input; None if it is no shape."""
    found = sizes_of(op, position)
    return found.items if found is not None and found.array.ndim < 2 else None


def paddings(op: Op, position: int) -> np.ndarray:
    """`[axes, 2]` sizes in an input: what is added before and after each axis.

    Raises:
      Unsupported: if it is no such matrix.
    """
    found = sizes_of(op, position)
    if found is None or found.array.ndim != 2:
        raise Unsupported('computed paddings')
    op.freeze(found.labels(), 'has its size used as a number')
    return found.array


def described_shape(op: Op, position: int) -> Shape:
    """Static shape of the output, with what is known of the shape that it is given."""
    shape = op.shape()
    items = items_of(op, position) or ()
    if len(items) != len(shape):
        return shape
    return tuple(
        item.static if size is None else size for size, item in zip(shape, items)
    )


def bind_shape(op: Op, position: int, labels: np.ndarray) -> None:
    """Ties the shape in an input to the labels of the tensor that it describes.

    Raises:
      Unsupported: if the shape is computed.
    """
    along = [labels.ravel() if size > 1 else None for size in labels.shape]
    bind_axes(op, position, along)


def bind_axes(op: Op, position: int, axes: Sequence[Optional[np.ndarray]]) -> None:
    """Like `bind_shape`, for a label vector per axis; None: no channels along it.

    Raises:
      Unsupported: if the shape is computed.
    """
    items = items_of(op, position)
    if items is None or len(items) != len(axes):
        raise Unsupported('a computed shape')
    for item, labels in zip(items, axes):
        _bind(op, item, labels)


def _bind(op: Op, size: Size, labels: Optional[np.ndarray]) -> None:
    """Ties one size to the labels along its axis; None: no channels lie along it."""
    counted = size.labels
    if labels is None:
        if counted is not None and counted.size > 1:
            op.freeze(counted, 'has its size used')
    elif size.value is not None:
        if size.value >= 0:
            op.size(size, labels)
    elif counted is None or counted.size != labels.size:
        op.freeze(labels, 'is reshaped to a computed size')
        if counted is not None:
            op.freeze(counted, 'has its size used')
    else:
        reason = 'is reshaped to the size of fixed channels'
        op.unify(labels, counted, reason)


def arrays_of(op: Op, positions: Sequence[int]) -> Optional[List[np.ndarray]]:
    """The arrays of sizes in several inputs; None if an input holds something else.

    Among sizes, a few numbers that are computed from data are sizes that nobody knows.
    """
    found = [sizes_of(op, position) for position in positions]
    if all(each is None for each in found):
        return None
    known = [each or _computed_sizes(op, p) for p, each in zip(positions, found)]
    arrays = [each.array for each in known if each is not None]
    return arrays if len(arrays) == len(found) else None


def _computed_sizes(op: Op, position: int) -> Optional[Sizes]:
    x = op.inputs[position]
    if not isinstance(x, Activation) or None in x.shape or x.labels.any():
        return None
    if np.prod(x.shape) > layout.FEW:
        return None
    return Sizes(np.full(x.shape, Size()))


@RULES.register('Shape', attributes='T out_type')
def shape_of(op: Op) -> Sizes:
    """Sizes that follow the tensor by themselves."""
    return _shape(op, 0)


@RULES.register('ShapeN', attributes='T N out_type')
def shapes_of(op: Op) -> Tuple[Sizes, ...]:
    """The sizes of several tensors."""
    return tuple(_shape(op, position) for position in range(len(op.inputs)))


def _shape(op: Op, position: int) -> Sizes:
    x = op.inputs[position]
    if isinstance(x, Sizes):
        return Sizes([Size(static=size) for size in x.array.shape])
    if isinstance(x, Weight):
        along = (labels if labels.size > 1 else None for labels in x.axes)
        pairs = zip(along, x.shape)
        return Sizes([Size(labels=each, static=size) for each, size in pairs])
    if not isinstance(x, Activation):
        raise Unsupported('the shape of a constant')
    axes = range(x.rank)
    if sum(x.varies(axis) for axis in axes) > 1:
        raise Unsupported('channels along several axes')
    counted = [x.labels.ravel() if x.varies(a) else None for a in axes]
    known = zip(counted, x.shape)
    return Sizes([Size(labels=labels, static=size) for labels, size in known])


@RULES.register('Size', attributes='T out_type')
def size_of(op: Op) -> Sizes:
    """The number of elements."""
    return Sizes(product(_shape(op, 0).items))


@RULES.register('Rank', attributes='T')
def rank_of(op: Op) -> Sizes:
    """The number of axes."""
    return Sizes(Size(static=len(op.input_shape(0))))


@RULES.register('Range', attributes='Tidx')
def range_of(op: Op) -> Union[Activation, Sizes]:
    """Known numbers where the bounds are; none of them may count channels."""
    for value in op.inputs:
        op.freeze_value(value, 'has its size used as a number')
    bounds = [sizes_of(op, position) for position in range(3)]
    numbers = [None if each is None else each.items[0].now for each in bounds]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return values.fixed(op.shape())
    return Sizes([Size(static=number) for number in layout.few_numbers(*known)])


def product(items: Sequence[Size]) -> Size:
    """The product of sizes: what it counts is repeated by the other factors.

    Raises:
      Unsupported: if two of them count channels, or another factor is not known.
    """
    counting = [item for item in items if item.labels is not None]
    if not counting:
        known = [item.now for item in items if item.now is not None]
        static = int(np.prod(known)) if len(known) == len(items) else None
        return Size(static=static)
    others = product([item for item in items if item.labels is None])
    repeats = others.static or 0
    if len(counting) > 1 or repeats < 1 or counting[0].labels is None:
        raise Unsupported('a product of channel counts')
    labels = np.tile(counting[0].labels, repeats)
    return Size(labels=labels, static=labels.size)


def arithmetic(op: Op) -> Optional[Sizes]:
    """Sums, products ... of sizes and integers; None if other values take part.

    A multiple of a channel count counts the channels several times. Any other number
    made from a channel count freezes the channels.

    Raises:
      Unsupported: if two channel counts are multiplied.
    """
    is_whole = tf.as_dtype(op.attr('T').type or tf.bool).is_integer
    arrays = arrays_of(op, range(2)) if is_whole and len(op.inputs) == 2 else None
    if arrays is None:
        return None
    left, right = np.broadcast_arrays(*arrays)
    items = [_computed(op, x, y) for x, y in zip(left.ravel(), right.ravel())]
    return Sizes(np.array(items, object).reshape(left.shape))


def _computed(op: Op, x: Size, y: Size) -> Size:
    counted = [item.labels for item in (x, y) if item.labels is not None]
    if op.type == 'Mul' and counted:
        return product([x, y])
    for labels in counted:
        op.freeze(labels, 'has its size used as a number')
    function = _ARITHMETIC.get(op.type)
    if function is None or x.now is None or y.now is None:
        return Size()
    try:
        return Size(static=function(x.now, y.now))
    except ZeroDivisionError:
        return Size()
