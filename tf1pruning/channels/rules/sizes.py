"""Shapes as values in the graph, in which channel counts hide.

A size is fixed by a constant, which must then shrink with its channels, or taken from a
tensor at run time, which ties the channels on both sides.
"""

from __future__ import annotations

from typing import Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Constant, Size, Sizes, Value
from tf1pruning.graph.view import Shape

_ARITHMETIC: Dict[str, Callable[[int, int], int]] = {
    'Add': lambda x, y: x + y,
    'AddV2': lambda x, y: x + y,
    'FloorDiv': lambda x, y: x // y,
    'FloorMod': lambda x, y: x % y,
    'Maximum': max,
    'Minimum': min,
    'Mul': lambda x, y: x * y,
    'Sub': lambda x, y: x - y,
}


def items_of(op: Op, position: int) -> Optional[Tuple[Size, ...]]:
    """The sizes in an input; None if it is no shape."""
    value = op.inputs[position]
    if isinstance(value, Sizes):
        return value.items
    if not isinstance(value, Constant) or len(value.shape) > 1:
        return None
    return _items(op, position, value) if value.value.dtype.kind == 'i' else None


def _items(op: Op, position: int, constant: Constant) -> Tuple[Size, ...]:
    return tuple(
        Size(
            value=int(number),
            node=constant.node.name,
            consumer=op.name,
            position=position,
            element=element,
        )
        for element, number in enumerate(np.ravel(constant.value))
    )


def items_of_matrix(op: Op, position: int) -> Tuple[Size, ...]:
    """The elements of a constant matrix of sizes (paddings), row by row.

    Raises:
      Unsupported: if they are computed.
    """
    value = op.inputs[position]
    if not isinstance(value, Constant):
        raise Unsupported('computed paddings')
    return _items(op, position, value)


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


def all_items(op: Op, positions: Sequence[int]) -> Optional[Tuple[Size, ...]]:
    """The sizes of several inputs in a row; None if an input is no shape."""
    found = [items_of(op, position) for position in positions]
    known = [items for items in found if items is not None]
    return sum(known, ()) if len(known) == len(found) else None


@RULES.register('Shape', attributes='T out_type')
def shape_of(op: Op) -> Sizes:
    """Sizes that follow the tensor by themselves."""
    x = op.inputs[0]
    if not isinstance(x, Activation):
        raise Unsupported('the shape of a weight')
    axes = range(x.rank)
    if sum(x.varies(axis) for axis in axes) > 1:
        raise Unsupported('channels along several axes')
    counted = [x.labels.ravel() if x.varies(a) else None for a in axes]
    known = zip(counted, x.shape)
    return Sizes(tuple(Size(labels=labels, static=size) for labels, size in known))


def product(items: Sequence[Size]) -> Size:
    """The product of sizes: what it counts is repeated by the other factors.

    Raises:
      Unsupported: if two of them count channels, or another factor is not known.
    """
    counting = [item for item in items if item.labels is not None]
    if not counting:
        statics = [item.static if item.value is None else item.value for item in items]
        known = [size for size in statics if size is not None]
        static = int(np.prod(known)) if len(known) == len(statics) else None
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
      Unsupported: if the two sides have different numbers of sizes.
    """
    if len(op.inputs) != 2 or not any(isinstance(v, Sizes) for v in op.inputs):
        return None
    left, right = (items_of(op, i) for i in (0, 1))
    if left is None or right is None:
        return None
    count = max(len(left), len(right))
    if count % len(left) or count % len(right):
        raise Unsupported('sizes that do not fit')
    pairs = zip(left * (count // len(left)), right * (count // len(right)))
    items = tuple(_computed(op, x, y) for x, y in pairs)
    return Sizes(items, scalar=all(is_scalar(value) for value in op.inputs))


def _computed(op: Op, x: Size, y: Size) -> Size:
    counted = [item.labels for item in (x, y) if item.labels is not None]
    if op.type == 'Mul' and counted:
        return product([x, y])
    for labels in counted:
        op.freeze(labels, 'has its size used as a number')
    known = [item.static if item.value is None else item.value for item in (x, y)]
    function = _ARITHMETIC.get(op.type)
    if function is None or known[0] is None or known[1] is None:
        return Size()
    return Size(static=function(known[0], known[1]))


def is_scalar(value: Value) -> bool:
    """Whether a value is one size and no vector of sizes."""
    if isinstance(value, Sizes):
        return value.scalar
    return isinstance(value, Constant) and value.shape == ()
