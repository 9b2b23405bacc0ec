"""Ops that work on each element alone, and those that combine equal positions."""

from __future__ import annotations

import functools
from typing import Union

import tensorflow.compat.v1 as tf

from tf1pruning.channels import families, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.trace_result import BIAS, SCALE, STATISTIC
from tf1pruning.channels.values import Activation, Constant, Sizes, Weight
from tf1pruning.names import op_types

UNARY = op_types(
    'Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Erfc Exp Expm1 '
    'Floor Inv IsFinite IsInf IsNan Log Log1p LogicalNot Neg OnesLike Reciprocal Rint '
    'Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt '
    'Square Tan Tanh ZerosLike'
)
BINARY = op_types(
    'Add AddV2 Atan2 Div DivNoNan Equal FloorDiv FloorMod Greater '
    'GreaterEqual Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul '
    'MulNoNan NotEqual Pow RealDiv SquaredDifference Sub TruncateDiv '
    'TruncateMod Xdivy Xlogy'
)
_ZEROED = {'Add': BIAS, 'AddV2': BIAS, 'Sub': BIAS, 'Mul': SCALE}


@RULES.register(*UNARY, attributes='T')
@RULES.register('LeakyRelu', attributes='T alpha')
@RULES.register('FakeQuantWithMinMaxArgs', attributes='min max num_bits narrow_range')
@RULES.register('FakeQuantWithMinMaxVars', attributes='num_bits narrow_range')
@RULES.register_family(families.ROUNDING)
def unary(op: Op) -> Activation:
    """Keeps its input's labels."""
    return op.activation(0)


@RULES.register('Cast', attributes='SrcT DstT Truncate')
def cast(op: Op) -> Union[Activation, Sizes]:
    """Keeps its input's labels; a size stays a size among the integers."""
    if isinstance(op.inputs[0], Sizes) and tf.as_dtype(op.attr('DstT').type).is_integer:
        return op.inputs[0]
    return op.activation(0)


@RULES.register('FakeQuantWithMinMaxVarsPerChannel', attributes='num_bits narrow_range')
def fake_quant_per_channel(op: Op) -> Activation:
    """Ties the ranges to the last axis."""
    x = op.activation(0)
    labels = x.channels(x.rank - 1)
    for position in (1, 2):
        found = op.use(op.weight(position), 0, STATISTIC)
        op.unify(found, labels, 'is the range of fixed channels')
    return x


@RULES.register('Select', attributes='T')
def select(op: Op) -> Union[Activation, Sizes]:
    """Chooses between equal positions, or between the rows of two tensors."""
    condition, x = op.activation(0), op.activation(1)
    if condition.rank == x.rank:
        return combine(op)
    if any(condition.labels.shape) and condition.labels.size > 1:
        raise Unsupported('a condition for each channel')
    return _unify(op, x, op.activation(2))


@RULES.register('ClipByValue', 'SelectV2', attributes='T')
@RULES.register(*BINARY, attributes='T incompatible_shape_error')
@RULES.register('AddN', attributes='T N')
def combine(op: Op) -> Union[Activation, Sizes]:
    """Unifies equal positions of its inputs, broadcast as TensorFlow does."""
    found = sizes.arithmetic(op)
    if found is not None:
        return found
    axis = _channel_axis(op)
    operands = [op.activation(i, axis) for i in range(len(op.inputs))]
    for position, operand in enumerate(operands):
        if isinstance(op.inputs[position], (Weight, Constant)):
            _record_parameter(op, position, operand)
    return functools.reduce(functools.partial(_unify, op), operands)


@RULES.register('AccumulateNV2', attributes='T N shape')
def accumulate(op: Op) -> Union[Activation, Sizes]:
    """Adds tensors of a shape that it states."""
    result = combine(op)
    if isinstance(result, Activation):
        op.states_shape(op.name, 'shape', result.labels)
    return result


def _channel_axis(op: Op) -> int:
    """Axis along which the operands' channels lie, from the end; -1 if none do."""
    for value in op.inputs:
        if isinstance(value, Activation):
            for axis in range(value.rank):
                if value.varies(axis):
                    return axis - value.rank
    return -1


def _record_parameter(op: Op, position: int, operand: Activation) -> None:
    """A weight among the operands: a bias, a scale, or something never zeroed."""
    varying = [axis for axis in range(operand.rank) if operand.varies(axis)]
    if not varying:
        return
    weight = op.weight(position)
    role = _ZEROED.get(op.type, STATISTIC)
    if not weight.is_computed and weight.source not in op.tracer.trainable:
        role = STATISTIC
    op.use(weight, varying[0], role)


def _unify(op: Op, x: Activation, y: Activation) -> Activation:
    rank = max(x.rank, y.rank)
    x, y = _pad_rank(x, rank), _pad_rank(y, rank)
    shape_x, shape_y = x.shape, y.shape
    axes = range(rank)
    y_spreads = any(x.varies(a) and shape_y[a] == 1 for a in axes)
    x_spreads = any(y.varies(a) and shape_x[a] == 1 for a in axes)
    if y_spreads:
        op.freeze(y.labels, 'is spread over channels')
    if x_spreads:
        op.freeze(x.labels, 'is spread over channels')
    shape = tuple(
        a if b in (1, None) and a != 1 else b for a, b in zip(shape_x, shape_y)
    )
    if x_spreads and y_spreads:
        return values.fixed(shape)
    if x_spreads or y_spreads:
        return Activation(shape, x.labels if y_spreads else y.labels)
    return Activation(shape, op.join(x.labels, y.labels, 'meets fixed channels'))


def _pad_rank(x: Activation, rank: int) -> Activation:
    missing = rank - x.rank
    labels = x.labels.reshape((1,) * missing + x.labels.shape)
    return Activation((1,) * missing + (x.shape), labels)
