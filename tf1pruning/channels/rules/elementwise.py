"""Ops that work on each element alone, and those that combine equal positions."""

from __future__ import annotations

import functools
from typing import List, Optional, Tuple

import numpy as np

from tf1pruning.channels import values
from tf1pruning.channels.trace import BIAS, RULES, SCALE, STATISTIC, Op, Tracer
from tf1pruning.channels.values import Activation, Constant, Weight
from tf1pruning.graph.view import Shape

UNARY = (
    'Abs',
    'Ceil',
    'Elu',
    'Erf',
    'Exp',
    'Expm1',
    'Floor',
    'Log',
    'Log1p',
    'Neg',
    'Reciprocal',
    'Relu',
    'Relu6',
    'Round',
    'Rsqrt',
    'Selu',
    'Sigmoid',
    'Sign',
    'Softplus',
    'Softsign',
    'Sqrt',
    'Square',
    'Tanh',
)
BINARY = (
    'Add',
    'AddV2',
    'Div',
    'DivNoNan',
    'Maximum',
    'Minimum',
    'Mul',
    'MulNoNan',
    'Pow',
    'RealDiv',
    'SquaredDifference',
    'Sub',
)
_ZEROED = {'Add': BIAS, 'AddV2': BIAS, 'Sub': BIAS, 'Mul': SCALE}


@RULES.register(*UNARY, attributes='T')
@RULES.register('LeakyRelu', attributes='T alpha')
@RULES.register('Cast', attributes='SrcT DstT Truncate')
def unary(op: Op, tracer: Tracer) -> Activation:
    """Keeps its input's labels."""
    del tracer
    return op.activation(0)


@RULES.register(*BINARY, attributes='T')
@RULES.register('AddN', attributes='T N')
def combine(op: Op, tracer: Tracer) -> Activation:
    """Unifies equal positions of its inputs, broadcast as TensorFlow does."""
    operands = []
    for position, value in enumerate(op.inputs):
        operands.append(op.activation(position))
        if isinstance(value, (Weight, Constant)) and np.prod(value.shape) > 1:
            _record_parameter(op, tracer, position)
    join = functools.partial(_unify, op, tracer)
    return functools.reduce(join, operands)


def _record_parameter(op: Op, tracer: Tracer, position: int) -> None:
    """A weight among the operands: a bias, a scale, or something never zeroed."""
    weight = op.weight(position)
    long = [axis for axis, size in enumerate(weight.shape) if size > 1]
    role = _ZEROED.get(op.type, STATISTIC)
    if not tracer.is_trainable(weight.source):
        role = STATISTIC
    tracer.use(op, weight, long[0], role)


def _unify(op: Op, tracer: Tracer, x: Activation, y: Activation) -> Activation:
    x, y = _same_rank(x, y)
    shape_x, shape_y = x.shape or (), y.shape or ()
    axes = range(x.rank)
    y_spreads = any(x.varies(a) and shape_y[a] == 1 for a in axes)
    x_spreads = any(y.varies(a) and shape_x[a] == 1 for a in axes)
    if y_spreads:
        tracer.labels.freeze(y.labels, f'is spread over channels in {op.name!r}')
    if x_spreads:
        tracer.labels.freeze(x.labels, f'is spread over channels in {op.name!r}')
    shape = _broadcast_shape(shape_x, shape_y)
    if x_spreads and y_spreads:
        return values.fixed(shape)
    if not (x_spreads or y_spreads):
        reason = f'meets fixed channels in {op.name!r}'
        tracer.labels.unify(x.labels, y.labels, reason)
    labels = x.labels if y_spreads else y.labels
    if not (x_spreads or y_spreads):
        # Where one side is fixed the other side's label is frozen: keep that label.
        labels = np.maximum(*np.broadcast_arrays(x.labels, y.labels))
    return Activation(shape, labels)


def _same_rank(x: Activation, y: Activation) -> Tuple[Activation, Activation]:
    rank = max(x.rank, y.rank)
    return _pad_rank(x, rank), _pad_rank(y, rank)


def _pad_rank(x: Activation, rank: int) -> Activation:
    missing = rank - x.rank
    labels = x.labels.reshape((1,) * missing + x.labels.shape)
    return Activation((1,) * missing + (x.shape or ()), labels)


def _broadcast_shape(x: Shape, y: Shape) -> Tuple[Optional[int], ...]:
    sizes: List[Optional[int]] = []
    for a, b in zip(x, y):
        if a == 1 or b == 1:
            sizes.append(b if a == 1 else a)
        else:
            sizes.append(a if b is None else b)
    return tuple(sizes)
