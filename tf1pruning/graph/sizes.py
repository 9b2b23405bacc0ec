"""Arithmetic of sizes that are not all known.

A size is a number times sizes that are not known, such as that of the batch. In a
quotient these may cancel out, so that the rest is known.
"""

from __future__ import annotations

import collections
import operator
from typing import Callable, Dict, Iterable, NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.shapes import element_count

# More numbers than that are no shape.
_MOST = 64


class Size(NamedTuple):
    """A number times sizes that are not known, sorted; -1 in a shape: what is left."""

    factor: int
    unknown: Tuple[str, ...] = ()

    def __mul__(self, other: object) -> Size:
        assert isinstance(other, Size), 'only sizes are multiplied'
        unknown = tuple(sorted((*self.unknown, *other.unknown)))
        return Size(self.factor * other.factor, unknown)

    def divided(self, other: Size) -> Optional[Size]:
        """The quotient; None if it may be no whole number, or is not known.

        >>> Size(12, ('batch',)).divided(Size(1, ('batch',)))
        Size(factor=12, unknown=())
        """
        left = collections.Counter(self.unknown)
        left.subtract(other.unknown)
        if min(left.values(), default=0) < 0 or other.factor < 1:
            return None
        if self.factor % other.factor:
            return None
        return Size(self.factor // other.factor, tuple(sorted(left.elements())))


Numbers = Optional[Tuple[Optional[Size], ...]]
Row = Sequence[Optional[Size]]
_LEFT = Size(-1)


def known(size: Optional[Size]) -> Optional[int]:
    """The number, if all of it is known."""
    return size.factor if size is not None and not size.unknown else None


def constant(node: tf.NodeDef) -> Numbers:
    """The numbers of a constant; None if they are too many for a shape."""
    dims = node.attr['value'].tensor.tensor_shape.dim
    if element_count(dim.size for dim in dims) > _MOST:
        return None
    return tuple(Size(int(number)) for number in nodes.constant_value(node).flat)


def product(sizes: Iterable[Optional[Size]]) -> Optional[Size]:
    """The product of sizes; None if one of them is not known at all."""
    result = Size(1)
    for size in sizes:
        if size is None:
            return None
        result *= size
    return result


def reshaped(before: Numbers, given: Numbers) -> Numbers:
    """The sizes that a shape gives, with the one that follows from the others."""
    if given is None or before is None or _LEFT not in given:
        return given
    total, others = product(before), product(s for s in given if s != _LEFT)
    left = total and others and total.divided(others)
    return tuple(left if size == _LEFT else size for size in given)


def sliced(before: Numbers, begin: Numbers, given: Numbers) -> Numbers:
    """The sizes that a slice gives; -1 is the rest of an axis."""
    if given is None or before is None or len(given) != len(before):
        return None
    starts = begin or (None,) * len(given)
    return tuple(
        (size if start == Size(0) else None) if each == _LEFT else each
        for size, start, each in zip(before, starts, given)
    )


def broadcast(x: Numbers, y: Numbers) -> Numbers:
    """The sizes of what combines equal positions of two tensors."""
    if x is None or y is None:
        return None
    rank = max(len(x), len(y))
    one = Size(1)
    x, y = ((one,) * (rank - len(each)) + each for each in (x, y))
    return tuple(a if b in (one, a) else b if a == one else None for a, b in zip(x, y))


def _same(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    return tuple(inputs[0])


def _joined(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    rows = inputs[:-1] if node.op == 'ConcatV2' else inputs
    return tuple(size for row in rows for size in row)


def _slice(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    x, begin, count = inputs
    start, length = known(begin[0]), known(count[0])
    if start is None or length is None:
        return None
    return tuple(x[start : None if length < 0 else start + length])


def _strided_slice(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    x, *bounds = inputs
    begin, end, step = (known(row[0]) for row in bounds)
    if begin is None or end is None or step is None or node.attr['new_axis_mask'].i:
        return None
    if node.attr['shrink_axis_mask'].i:
        return (x[begin],) if -len(x) <= begin < len(x) else None
    start = None if node.attr['begin_mask'].i else begin
    return tuple(x[start : None if node.attr['end_mask'].i else end : step])


def _gathered(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    x, indices = inputs[0], [known(each) for each in inputs[1]]
    inside = all(each is not None and 0 <= each < len(x) for each in indices)
    return tuple(x[each or 0] for each in indices) if inside else None


def _multiplied(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    return (product(inputs[0]),)


def _range(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
    bounds = [known(row[0]) for row in inputs]
    if None in bounds or bounds[2] == 0:
        return None
    found = range(*[bound or 0 for bound in bounds])[: _MOST + 1]
    return tuple(map(Size, found)) if len(found) <= _MOST else None


def _both(function: Callable[[Size, Size], Optional[Size]]) -> _Evaluator:
    """Combines equal positions, of which one side may have one only."""

    def combine(node: tf.NodeDef, inputs: Sequence[Row]) -> Numbers:
        x, y = inputs
        count = max(len(x), len(y))
        pairs = zip(tuple(x) * (count // len(x)), tuple(y) * (count // len(y)))
        return tuple(a and b and function(a, b) for a, b in pairs)

    return combine


def _whole(function: Callable[[int, int], int]) -> _Evaluator:
    """Like `_both`, of numbers that are known."""

    def combine(x: Size, y: Size) -> Optional[Size]:
        return None if x.unknown or y.unknown else Size(function(x.factor, y.factor))

    return _both(combine)


_Evaluator = Callable[[tf.NodeDef, Sequence[Row]], Numbers]
# Op on vectors and single numbers -> the numbers in its first output.
EVALUATED: Dict[str, _Evaluator] = {
    'Add': _whole(operator.add),
    'AddV2': _whole(operator.add),
    'Cast': _same,
    'ConcatV2': _joined,
    'ExpandDims': _same,
    'FloorDiv': _both(Size.divided),
    'Gather': _gathered,
    'GatherV2': _gathered,
    'Identity': _same,
    'Maximum': _whole(max),
    'Minimum': _whole(min),
    'Mul': _both(Size.__mul__),
    'Pack': _joined,
    'Prod': _multiplied,
    'Range': _range,
    'Reshape': _same,
    'Slice': _slice,
    'Squeeze': _same,
    'StopGradient': _same,
    'StridedSlice': _strided_slice,
    'Sub': _whole(operator.sub),
}
