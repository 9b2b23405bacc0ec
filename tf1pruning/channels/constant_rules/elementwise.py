"""Values of ops that work on each element alone, or combine equal positions."""

from __future__ import annotations

import math
from typing import Callable, Dict, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import families, layout
from tf1pruning.channels.constants import RULES, VARYING, ConstantOp, channel_vector
from tf1pruning.channels.registry import Unsupported
from tf1pruning.graph.frozen import precision

_Binary = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


_erf = np.vectorize(math.erf, otypes=[np.float64])

_UNARY: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'Abs': np.abs,
    'Acos': np.arccos,
    'Acosh': np.arccosh,
    'Asin': np.arcsin,
    'Asinh': np.arcsinh,
    'Atan': np.arctan,
    'Atanh': np.arctanh,
    'Ceil': np.ceil,
    'Cos': np.cos,
    'Cosh': np.cosh,
    'Elu': lambda x: np.where(x > 0, x, np.expm1(x)),
    'Erf': _erf,
    'Erfc': lambda x: 1 - _erf(x),
    'Exp': np.exp,
    'Expm1': np.expm1,
    'Floor': np.floor,
    'Inv': np.reciprocal,
    'Log': np.log,
    'Log1p': np.log1p,
    'LogicalNot': lambda x: 1 - x,
    'Neg': np.negative,
    'OnesLike': np.ones_like,
    'Reciprocal': np.reciprocal,
    'Relu': lambda x: np.maximum(x, 0),
    'Relu6': lambda x: np.clip(x, 0, 6),
    'Rint': np.rint,
    'Round': np.rint,
    'Rsqrt': lambda x: 1 / np.sqrt(x),
    'Selu': _selu,
    'Sigmoid': _sigmoid,
    'Sign': np.sign,
    'Sin': np.sin,
    'Sinh': np.sinh,
    'Softplus': lambda x: np.logaddexp(x, 0),
    'Softsign': lambda x: x / (1 + np.abs(x)),
    'Sqrt': np.sqrt,
    'Square': np.square,
    'Tan': np.tan,
    'Tanh': np.tanh,
    'ZerosLike': np.zeros_like,
}


def _is_whole(op: ConstantOp) -> bool:
    return tf.as_dtype(op.attr('T').type or tf.bool).is_integer


def _in_type(op: ConstantOp, value: np.ndarray) -> np.ndarray:
    """A result; whole numbers that do not fit their type become other numbers."""
    if not _is_whole(op):
        return value
    dtype = tf.as_dtype(op.attr('T').type)
    return np.where((value >= dtype.min) & (value <= dtype.max), value, VARYING)


@RULES.register(*_UNARY, attributes='T')
def _unary(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _in_type(op, _UNARY[op.node.op](inputs[0].astype(np.float64)))


@RULES.register('LeakyRelu', attributes='T alpha')
def _leaky_relu(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0].astype(np.float64)
    return np.where(x > 0, x, op.attr('alpha').f * x)


@RULES.register('Cast', attributes='SrcT DstT Truncate')
def _cast(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0].astype(np.float64)
    target = tf.as_dtype(op.attr('DstT').type)
    if precision.is_half(target):
        return np.where(precision.fits_half(x, target), x, VARYING)
    if target.is_floating:
        return x
    if target.is_integer:
        # What does not fit becomes another number, which depends on the machine.
        fits = (x >= target.min) & (x <= target.max)
        return np.where(fits, np.trunc(x), VARYING)
    raise Unsupported(f'a cast to {target.name}')


@RULES.register(
    'FakeQuantWithMinMaxArgs',
    'FakeQuantWithMinMaxVars',
    'FakeQuantWithMinMaxVarsPerChannel',
    attributes='min max num_bits narrow_range',
)
def _fake_quantize(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """The range always holds zero, and zero is one of its steps."""
    return np.where(inputs[0] == 0, 0.0, VARYING)


@RULES.register_family(families.ROUNDING)
def _round_to_steps(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, low, high = inputs[:3]
    holds_zero = not op.attr('range_given').b or bool(np.all((low <= 0) & (high >= 0)))
    return np.where((x == 0) & holds_zero, 0.0, VARYING)


def multiply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Product in which a zero wins over a varying factor."""
    return np.where((x == 0) | (y == 0), 0.0, x * y)


def _unless_varying(function: _Binary) -> _Binary:
    """A comparison as 0 and 1; NumPy would call every one with NaN false."""

    def compare(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(x) | np.isnan(y), VARYING, function(x, y))

    return compare


_BINARY: Dict[str, _Binary] = {
    'Add': np.add,
    'AddV2': np.add,
    'Atan2': np.arctan2,
    'Div': np.divide,
    'DivNoNan': lambda x, y: np.where((x == 0) | (y == 0), 0.0, x / y),
    'Equal': _unless_varying(np.equal),
    'FloorDiv': np.floor_divide,
    'FloorMod': np.mod,
    'Greater': _unless_varying(np.greater),
    'GreaterEqual': _unless_varying(np.greater_equal),
    'Less': _unless_varying(np.less),
    'LessEqual': _unless_varying(np.less_equal),
    'LogicalAnd': multiply,
    'LogicalOr': lambda x, y: np.where((x == 1) | (y == 1), 1.0, x + y),
    'Maximum': np.maximum,
    'Minimum': np.minimum,
    'Mul': multiply,
    'MulNoNan': multiply,
    'NotEqual': _unless_varying(np.not_equal),
    'RealDiv': np.divide,
    'SquaredDifference': lambda x, y: np.square(x - y),
    'Sub': np.subtract,
    'Xdivy': lambda x, y: np.where(x == 0, 0.0, x / y),
    'Xlogy': lambda x, y: np.where(x == 0, 0.0, x * np.log(y)),
}


@RULES.register(*_BINARY, attributes='T incompatible_shape_error')
def _binary(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, y = (value.astype(np.float64) for value in inputs)
    if op.node.op == 'Div' and _is_whole(op):
        return _in_type(op, np.trunc(x / y))
    return _in_type(op, _BINARY[op.node.op](x, y))


@RULES.register('Select', 'SelectV2', attributes='T')
def _select(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    condition, x, y = (value.astype(np.float64) for value in inputs)
    if condition.ndim != x.ndim:
        condition = np.array(VARYING)  # One for each row.
    unknown = np.where(x == y, x, VARYING)
    return np.where(np.isnan(condition), unknown, np.where(condition != 0, x, y))


@RULES.register('ClipByValue', attributes='T')
def _clip(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, low, high = (value.astype(np.float64) for value in inputs)
    return np.minimum(np.maximum(x, low), high)


@RULES.register('AddN', attributes='T N')
@RULES.register('AccumulateNV2', attributes='T N shape')
def _add_n(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _in_type(op, sum(value.astype(np.float64) for value in inputs))


@RULES.register('BiasAdd', attributes='T data_format')
def _bias_add(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, bias = inputs
    return x + layout.along(bias.astype(np.float64), op.channel_axis(), x.ndim)


@RULES.register_family(families.BATCH_NORM)
def _batch_norm(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, axis = inputs[0].astype(np.float64), op.channel_axis()
    if op.attr('is_training').b:
        return _normalized_by_batch(op, x, axis, *inputs[1:3])
    gamma, beta, mean, variance = (
        layout.along(v.astype(np.float64), axis, x.ndim) for v in inputs[1:5]
    )
    scale = gamma / np.sqrt(variance + op.attr('epsilon').f)
    return multiply(x - mean, scale) + beta


def _normalized_by_batch(
    op: ConstantOp, x: np.ndarray, axis: int, gamma: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """A channel of zeros, or one that is scaled by zero, becomes beta.

    One with another constant does, too, but for rounding that the scale enlarges.
    """
    zero = channel_vector(x, axis, beta.size) == 0
    value = np.where(zero | (gamma == 0), beta, VARYING)
    return layout.along(value, axis, x.ndim)
