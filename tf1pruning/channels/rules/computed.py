"""Weights that are computed from variables and constants, such as masked kernels.

The rules here follow the axes of variables to those of what is computed, and what zeros
in a variable make of it (`values.IfZero`). An axis that they do not follow gets
channels of its own. Where the result then is not what the layer had, less its removed
channels, it is folded to a constant (`surgery.computed`): so these rules decide what
may be cut and where zeros go, never what is right.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import families
from tf1pruning.channels.labels import FIXED
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import shapes, sizes
from tf1pruning.channels.rules.elementwise import BINARY, UNARY
from tf1pruning.channels.trace import COMPUTED, Op
from tf1pruning.channels.values import (
    Activation,
    Carrier,
    Constant,
    IfZero,
    Weight,
)
from tf1pruning.graph.frozen import precision
from tf1pruning.names import op_types

ZERO, OTHER, POLE = IfZero.ZERO, IfZero.OTHER, IfZero.POLE

_KEEP_ZERO = op_types(
    'Abs Asin Atan Ceil Elu Erf Expm1 Floor Log1p Neg Relu Relu6 Rint Round Selu Sign '
    'Sin Sinh Softsign Sqrt Square Tan Tanh ZerosLike'
)
_HAVE_POLES = op_types('Inv Log Reciprocal Rsqrt')
_PRODUCTS = op_types('Mul MulNoNan')
_QUOTIENTS = op_types('Div RealDiv')
_TOGETHER = op_types('Add AddN AddV2 ConcatV2 Sub')
_SUMS = op_types('Add AddN AddV2 Maximum Minimum SquaredDifference Sub')


class _Axis(NamedTuple):
    """An axis of an operand.

    Attributes:
      labels: its channels; None if it has size 1, or channels of no variable.
      carriers: what it follows.
    """

    labels: Optional[np.ndarray]
    carriers: Tuple[Carrier, ...]


_NO_AXIS = _Axis(None, ())


def _axes(op: Op, position: int) -> List[_Axis]:
    """The axes of an input."""
    value = op.inputs[position]
    if isinstance(value, Constant):
        value = op.weight(position)
    if isinstance(value, Weight):
        return [
            _Axis(labels, carriers) if labels.size > 1 else _NO_AXIS
            for labels, carriers in zip(value.axes, value.carriers)
        ]
    if not isinstance(value, Activation):
        raise Unsupported('a size as a factor')
    return [_of_vector(value, axis) for axis in range(value.rank)]


def _of_vector(value: Activation, axis: int) -> _Axis:
    """An axis of scales that other rules have followed, and whose parts they noted."""
    if not value.varies(axis) or (value.labels == FIXED).all():
        return _NO_AXIS
    return _Axis(value.channels(axis), ())


def _result(op: Op, axes: Sequence[_Axis], rounds: bool = False) -> Weight:
    labels = [axis.labels for axis in axes]
    shape = op.shape()
    single = [np.full(1, FIXED) if size == 1 else None for size in shape]
    labels = [one if each is None else each for each, one in zip(labels, single)]
    rounded = (isinstance(v, Weight) and v.rounds for v in op.inputs)
    carriers = [axis.carriers for axis in axes]
    return op.tracer.computation.add(op.name, labels, carriers, rounds or any(rounded))


def _changed(axes: Sequence[_Axis], change: Callable[[IfZero], IfZero]) -> List[_Axis]:
    return [
        axis._replace(
            carriers=tuple(c._replace(if_zero=change(c.if_zero)) for c in axis.carriers)
        )
        for axis in axes
    ]


@COMPUTED.register(*UNARY, attributes='T')
@COMPUTED.register('LeakyRelu', attributes='T alpha')
def _unary(op: Op) -> Weight:
    def change(before: IfZero) -> IfZero:
        if op.type in _KEEP_ZERO or op.type == 'LeakyRelu' or before != ZERO:
            return before
        return POLE if op.type in _HAVE_POLES else OTHER

    return _result(op, _changed(_axes(op, 0), change))


@COMPUTED.register_family(families.ROUNDING)
def _quantize(op: Op) -> Weight:
    """Zero is one of the steps of every range."""
    return _result(op, _axes(op, 0))


@COMPUTED.register('Cast', attributes='SrcT DstT Truncate')
def _cast(op: Op) -> Weight:
    dtype = tf.as_dtype(op.attr('DstT').type)
    return _result(op, _axes(op, 0), rounds=precision.is_half(dtype))


@COMPUTED.register(
    'FakeQuantWithMinMaxArgs',
    'FakeQuantWithMinMaxVars',
    'FakeQuantWithMinMaxVarsPerChannel',
    attributes='min max num_bits narrow_range',
)
def _fake_quantize(op: Op) -> Weight:
    """Every range holds zero, and zero is one of its steps."""
    axes = _axes(op, 0)
    for position in range(1, len(op.inputs)):
        ranges = _changed(_axes(op, position), lambda before: OTHER)
        axes = _aligned(op, axes, ranges, lambda x, y: x or OTHER)
    return _result(op, axes)


@COMPUTED.register(*BINARY, attributes='T incompatible_shape_error')
@COMPUTED.register('AddN', attributes='T N')
def _combine(op: Op) -> Weight:
    axes = _axes(op, 0)
    for position in range(1, len(op.inputs)):
        axes = _aligned(op, axes, _axes(op, position), _both(op.type))
    return _result(op, axes)


# What zeros in a variable make of an op, from what they make of its operands; None: of
# that operand nothing.
_Both = Callable[[Optional[IfZero], Optional[IfZero]], IfZero]


def _both(op: str) -> _Both:
    def product(x: Optional[IfZero], y: Optional[IfZero]) -> IfZero:
        return POLE if POLE in (x, y) else ZERO if ZERO in (x, y) else OTHER

    def quotient(x: Optional[IfZero], y: Optional[IfZero]) -> IfZero:
        return POLE if POLE in (x, y) or y == ZERO else x or OTHER

    def total(x: Optional[IfZero], y: Optional[IfZero]) -> IfZero:
        return POLE if POLE in (x, y) else ZERO if x == y == ZERO else OTHER

    def anything(x: Optional[IfZero], y: Optional[IfZero]) -> IfZero:
        return POLE if POLE in (x, y) else OTHER

    known: Dict[str, _Both] = {
        **dict.fromkeys(_PRODUCTS, product),
        **dict.fromkeys(_QUOTIENTS, quotient),
        **dict.fromkeys(_SUMS, total),
    }
    return known.get(op, anything)


def _aligned(
    op: Op, xs: Sequence[_Axis], ys: Sequence[_Axis], both: _Both
) -> List[_Axis]:
    """The axes of what combines equal positions, broadcast as TensorFlow does."""
    rank = max(len(xs), len(ys))
    xs = [_NO_AXIS] * (rank - len(xs)) + list(xs)
    ys = [_NO_AXIS] * (rank - len(ys)) + list(ys)
    return [_joined(op, x, y, both) for x, y in zip(xs, ys)]


def _joined(op: Op, x: _Axis, y: _Axis, both: _Both) -> _Axis:
    labels = x.labels if y.labels is None else y.labels
    if x.labels is not None and y.labels is not None:
        labels = op.join(x.labels, y.labels, 'meets fixed channels')
    left, right = _effects(x), _effects(y)
    if op.type in _TOGETHER and _is_silenced(op, x) and _is_silenced(op, y):
        return _Axis(labels, tuple(dict.fromkeys((*left, *right))))
    carriers = (
        each._replace(if_zero=both(left.get(each), right.get(each)))
        for each in dict.fromkeys((*left, *right))
    )
    return _Axis(labels, tuple(carriers))


def _is_silenced(op: Op, axis: _Axis) -> bool:
    """Whether a slice is zero once zeros are written to what is pruned of it."""
    trained = op.tracer.trainable
    return bool(axis.carriers) and all(
        each.if_zero == ZERO and (each.source in trained if trained else each.is_kernel)
        for each in axis.carriers
    )


def _effects(axis: _Axis) -> Dict[Carrier, IfZero]:
    """What an axis follows -> what zeros in it make of the slice."""
    return {each._replace(if_zero=ZERO): each.if_zero for each in axis.carriers}


@COMPUTED.register(
    'EuclideanNorm', 'Max', 'Mean', 'Min', 'Prod', 'Sum', attributes='T Tidx keep_dims'
)
def _reduce(op: Op) -> Weight:
    """The axes that are left; zeros along them stay zeros."""
    axes = _axes(op, 0)
    gone = {int(axis) % len(axes) for axis in np.ravel(op.constant(1))}
    keeps = op.attr('keep_dims').b
    found = [
        _NO_AXIS if number in gone else axis
        for number, axis in enumerate(axes)
        if keeps or number not in gone
    ]
    return _result(op, found)


@COMPUTED.register('ConcatV2', attributes='T N Tidx')
def _concat(op: Op) -> Weight:
    """Joins axes that follow variables; a part of a partitioned one stays."""
    count = len(op.inputs) - 1
    rows = [_axes(op, position) for position in range(count)]
    joined = int(op.constant(count)) % len(rows[0])
    along = [row[joined] for row in rows]
    carriers = tuple(each for axis in along for each in axis.carriers)
    labels = [axis.labels for axis in along if axis.labels is not None]
    if op.tracer.partitioned.intersection(each.source for each in carriers):
        raise Unsupported('parts of a weight')
    is_followed = len(labels) == count
    whole = _Axis(np.concatenate(labels), carriers) if is_followed else _NO_AXIS
    axes = [*rows[0]]
    for row in rows[1:]:
        axes[joined] = row[joined] = _NO_AXIS
        axes = _aligned(op, axes, row, _both(op.type))
    axes[joined] = whole
    return _result(op, axes)


@COMPUTED.register('MatMul', attributes='T transpose_a transpose_b')
def _matmul(op: Op) -> Weight:
    """The rows of the one and the columns of the other; what is summed over is tied."""
    left, right = _axes(op, 0), _axes(op, 1)
    left = left[::-1] if op.attr('transpose_a').b else left
    right = right[::-1] if op.attr('transpose_b').b else right
    _joined(op, left[1], right[0], _both(op.type))
    return _result(op, [left[0], right[1]])


@COMPUTED.register('Slice', attributes='T Index')
@COMPUTED.register(
    'StridedSlice',
    attributes='T Index begin_mask end_mask ellipsis_mask new_axis_mask '
    'shrink_axis_mask',
)
def _slice(op: Op) -> Weight:
    """The axes of which nothing is cut off."""
    axes, shape = _axes(op, 0), op.shape()
    if len(shape) != len(axes):
        raise Unsupported('a slice that drops or adds an axis')
    steps = op.constant(3) if op.type == 'StridedSlice' else np.ones(1)
    forward = (steps > 0).all()
    is_whole = (forward and a == b for a, b in zip(op.input_shape(0), shape))
    pairs = zip(is_whole, axes)
    return _result(op, [axis if whole else _NO_AXIS for whole, axis in pairs])


@COMPUTED.register('Reshape', attributes='T Tshape')
def _reshape(op: Op) -> Weight:
    """The axes that stay whole: as many positions lie behind them as before."""
    view = shapes.reshaped_kernel(op)
    if view is not None:
        return view
    axes, before, after = _axes(op, 0), op.inputs[0], op.shape()
    assert isinstance(before, (Constant, Weight)), 'only weights are reshaped here'
    places = {place: axes[place.axis] for place in _places(before.shape)}
    found = {(p.size, p.behind): axis for p, axis in places.items() if p.size > 1}
    known = [found.get((p.size, p.behind), _NO_AXIS) for p in _places(after)]
    items = sizes.items_of(op, 1) or ()
    for item, axis in zip(items, known):
        if axis.labels is not None and (item.value or 0) > 1:
            op.size(item, axis.labels)
    return _result(op, known)


class _Place(NamedTuple):
    """An axis, its size, and how many positions lie along the axes behind it."""

    axis: int
    size: int
    behind: int


def _places(shape: Sequence[Optional[int]]) -> List[_Place]:
    sizes_known = [size or 0 for size in shape]
    return [
        _Place(axis, size, int(np.prod(sizes_known[axis + 1 :], dtype=np.int64)))
        for axis, size in enumerate(sizes_known)
    ]
