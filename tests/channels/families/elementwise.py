"""Ops that work on each element, or combine equal positions."""

from __future__ import annotations

from typing import Callable

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels.families.row import WIDTH, family


def unary(function: Callable[[tf.Tensor], tf.Tensor]):
    # The convolution before it brings negative values too.
    return lambda x: function(networks.conv(x, 7, name='signed'))


def positive(function: Callable[[tf.Tensor], tf.Tensor]):
    return lambda x: function(unary(tf.abs)(x) + 1.0)


def branch(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]):
    return lambda x: function(x, networks.conv(x, WIDTH, name='other'))


def vector(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]):
    return lambda x: function(x, tf.get_variable('vector', [x.shape.as_list()[-1]]))


def constant_vector(x: tf.Tensor) -> tf.Tensor:
    return x * tf.constant(np.linspace(0.5, 2.0, WIDTH), tf.float32)


def gate(x: tf.Tensor) -> tf.Tensor:
    with tf.variable_scope('gate'):
        y = tf.reduce_mean(x, [1, 2], keepdims=True)
        y = tf.nn.relu(networks.conv(y, 4, name='reduce'))
        return x * tf.sigmoid(networks.conv(y, WIDTH, name='expand'))


def attention(x: tf.Tensor) -> tf.Tensor:
    return x * tf.sigmoid(networks.conv(x, 1, name='mask'))


def prelu(x: tf.Tensor) -> tf.Tensor:
    y = networks.conv(x, 7, name='signed')
    alpha = tf.get_variable('alpha', [7])
    return tf.nn.relu(y) - alpha * tf.nn.relu(-y)


def masked(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    return x * tf.cast(mask, tf.float32)


def positional(x: tf.Tensor) -> tf.Tensor:
    return x + tf.get_variable('positions', x.shape[1:].as_list())


def random_numbers(x: tf.Tensor) -> tf.Tensor:
    """Numbers of every kind for each position, the same for all channels."""
    shape, seed = [1, *x.shape[1:3].as_list(), 1], [1, 2]
    ops, limits = tf.raw_ops, {'minval': 1, 'maxval': 4}
    one = tf.ones(shape)
    logits = tf.ones([1, 4])
    drawn = [
        tf.random.normal(shape),
        tf.random.uniform(shape),
        tf.random.uniform(shape, 1, 4, tf.int32),
        tf.random.truncated_normal(shape),
        tf.random.gamma([], one),
        tf.random.poisson(one, []),
        tf.random.shuffle(one),
        tf.reshape(tf.random.categorical(logits, x.shape.as_list()[1] ** 2), shape),
        tf.reshape(
            ops.ParameterizedTruncatedNormal(
                shape=[x.shape.as_list()[1] ** 2],
                means=[0.0],
                stdevs=[1.0],
                minvals=[-1.0],
                maxvals=[1.0],
            ),
            shape,
        ),
        ops.StatelessRandomNormal(shape=shape, seed=seed),
        ops.StatelessRandomUniform(shape=shape, seed=seed),
        ops.StatelessRandomUniformInt(shape=shape, seed=seed, **limits),
        ops.StatelessTruncatedNormal(shape=shape, seed=seed),
        tf.reshape(
            ops.StatelessMultinomial(
                logits=logits, num_samples=x.shape.as_list()[1] ** 2, seed=seed
            ),
            shape,
        ),
    ]
    return x + 0.1 * tf.add_n([tf.cast(each, tf.float32) for each in drawn])


def fixed_positions(x: tf.Tensor) -> tf.Tensor:
    values = np.linspace(0.5, 2.0, 8 * 8 * WIDTH).reshape(1, 8, 8, WIDTH)
    return x * tf.constant(values, tf.float32)


def ranges(x: tf.Tensor) -> tf.Tensor:
    high = np.linspace(0.5, 2.0, WIDTH).astype(np.float32)
    quantize = tf.quantization.fake_quant_with_min_max_vars_per_channel
    return quantize(x, -high, high)


_UNARY = {
    'Abs': tf.abs,
    'Acos': lambda x: tf.acos(tf.tanh(x)),
    'Acosh': lambda x: tf.acosh(1.0 + tf.abs(x)),
    'Asinh': tf.asinh,
    'Atanh': lambda x: tf.atanh(0.5 * tf.tanh(x)),
    'Asin': lambda x: tf.asin(tf.tanh(x)),
    'Atan': tf.atan,
    'Cast': lambda x: tf.cast(tf.cast(x, tf.float64), tf.float32),
    'Ceil': lambda x: tf.ceil(x * 4.0),
    'Cos': tf.cos,
    'Cosh': lambda x: tf.cosh(tf.tanh(x)),
    'Elu': tf.nn.elu,
    'Erf': tf.erf,
    'Erfc': tf.math.erfc,
    'Exp': tf.exp,
    'Expm1': tf.math.expm1,
    'Floor': lambda x: tf.floor(x * 4.0),
    'IsFinite': lambda x: x * tf.cast(tf.is_finite(x), tf.float32),
    'IsInf and LogicalNot': lambda x: (
        x * tf.cast(tf.logical_not(tf.is_inf(x)), tf.float32)
    ),
    'IsNan': lambda x: x - tf.cast(tf.is_nan(x), tf.float32),
    'LogicalNot': lambda x: masked(x, tf.logical_not(tf.less(x, 0.1))),
    'LeakyRelu': tf.nn.leaky_relu,
    'Neg': tf.negative,
    'OnesLike': lambda x: x + tf.raw_ops.OnesLike(x=x),
    'Relu6': tf.nn.relu6,
    'Rint': lambda x: tf.math.rint(x * 4.0),
    'Round': lambda x: tf.round(x * 4.0),
    'Selu': tf.nn.selu,
    'Sigmoid': tf.sigmoid,
    'Sign': tf.sign,
    'Sin': tf.sin,
    'Sinh': lambda x: tf.sinh(tf.tanh(x)),
    'Softplus': tf.nn.softplus,
    'Softsign': tf.nn.softsign,
    'Square': tf.square,
    'Tan': lambda x: tf.tan(tf.tanh(x)),
    'Tanh': tf.tanh,
    'ZerosLike': lambda x: x + tf.raw_ops.ZerosLike(x=x),
    'ClipByValue': lambda x: tf.raw_ops.ClipByValue(
        t=x, clip_value_min=-0.5, clip_value_max=0.5
    ),
    'FakeQuantWithMinMaxArgs': tf.quantization.fake_quant_with_min_max_args,
    'FakeQuantWithMinMaxVars': lambda x: tf.quantization.fake_quant_with_min_max_vars(
        tf.nn.relu(x), -2.0, 2.0
    ),
    'StopGradient': tf.stop_gradient,
    'PreventGradient': lambda x: tf.raw_ops.PreventGradient(input=x, message=''),
    'Snapshot': lambda x: tf.raw_ops.Snapshot(input=x),
    'swish': lambda x: x * tf.sigmoid(x),
    'swish of TensorFlow': tf.nn.swish,
    'second output of IdentityN': lambda x: tf.identity_n([-x, x * 2.0])[1],
    'hard swish': networks.ACTIVATIONS['hard_swish'],
}
_POSITIVE = {
    'Inv': lambda x: tf.raw_ops.Inv(x=x),
    'Log': tf.log,
    'Log1p': tf.log1p,
    'Reciprocal': lambda x: tf.raw_ops.Reciprocal(x=x),
    'Rsqrt': tf.rsqrt,
    'Sqrt': tf.sqrt,
}
_BINARY = {
    'AddV2': tf.add,
    'Add': lambda x, y: tf.raw_ops.Add(x=x, y=y),
    'Atan2': tf.atan2,
    'AddN': lambda x, y: tf.add_n([x, y, x]),
    'Div': lambda x, y: tf.raw_ops.Div(x=x, y=tf.abs(y) + 1.0),
    # Far from zero, but for what is pruned: a small divisor magnifies rounding.
    'DivNoNan': lambda x, y: tf.div_no_nan(x, y + tf.sign(y)),
    'Equal and LogicalAnd': lambda x, y: masked(
        x, tf.logical_and(tf.equal(x, x), tf.greater(x, y))
    ),
    'FloorDiv': lambda x, y: tf.floordiv(x, tf.abs(y) + 1.0),
    'FloorMod': lambda x, y: tf.floormod(x, tf.abs(y) + 1.0),
    'Greater': lambda x, y: masked(x, tf.greater(x, y)),
    'GreaterEqual': lambda x, y: masked(x, tf.greater_equal(x, y)),
    'Less': lambda x, y: masked(x, tf.less(x, y)),
    'LessEqual and LogicalOr': lambda x, y: masked(
        x, tf.logical_or(tf.less_equal(x, y), tf.less(y, 0.0))
    ),
    'Maximum': tf.maximum,
    'Minimum': tf.minimum,
    'Mod': lambda x, y: tf.raw_ops.Mod(x=x, y=tf.abs(y) + 1.0),
    'Mul': tf.multiply,
    'MulNoNan': lambda x, y: tf.raw_ops.MulNoNan(x=x, y=y),
    'NotEqual': lambda x, y: masked(x, tf.not_equal(x, y)),
    'Pow': lambda x, y: tf.pow(tf.abs(x) + 0.5, y),
    'RealDiv': lambda x, y: tf.realdiv(x, tf.abs(y) + 1.0),
    'Select': lambda x, y: tf.where(tf.greater(x, y), x, 2.0 * y),
    'SelectV2': lambda x, y: tf.where_v2(tf.greater(x, y), x, 0.5),
    'SquaredDifference': tf.squared_difference,
    'Sub': tf.subtract,
    'TruncateDiv': lambda x, y: tf.cast(
        tf.truncatediv(tf.cast(x * 9.0, tf.int32), tf.cast(tf.abs(y), tf.int32) + 1),
        tf.float32,
    ),
    'TruncateMod': lambda x, y: tf.raw_ops.TruncateMod(x=x, y=tf.abs(y) + 1.0),
    'Xdivy': lambda x, y: tf.math.xdivy(x, tf.abs(y) + 1.0),
    'Xlogy': lambda x, y: tf.math.xlogy(x, tf.abs(y) + 2.0),
}
_VECTOR = {
    'add a vector': tf.add,
    'multiply by a vector': tf.multiply,
    'subtract a vector': tf.subtract,
    'maximum with a vector': tf.maximum,
}

ROWS = (
    family('random numbers', random_numbers),
    family('nothing between', lambda x: x),
    *(family(name, unary(f), signed=7) for name, f in _UNARY.items()),
    *(family(name, positive(f), signed=7) for name, f in _POSITIVE.items()),
    *(family(name, branch(f)) for name, f in _BINARY.items()),
    *(family(name, vector(f)) for name, f in _VECTOR.items()),
    family('constant vector', constant_vector),
    family('weight for each position', positional),
    family('constant for each position', fixed_positions),
    family('FakeQuantWithMinMaxVarsPerChannel', ranges),
    family('squeeze-and-excite gate', gate, gate=4),
    family('one channel spread over all', attention),
    family('PReLU', prelu, signed=7),
)
