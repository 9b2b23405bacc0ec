"""One small network per op that has a rule: the op stands between two convolutions.

The convolution `first` makes 12 channels, with batch norm and relu; then comes the op;
the layer `last` makes 6. A row says which groups may be cut and how wide they are.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Dict, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks

WIDTH = 12
LAST = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """A row: `build` maps the activation of `first` to the input of `last`."""

    name: str
    build: Callable[[tf.Tensor], tf.Tensor]
    groups: Dict[str, int]

    def __str__(self) -> str:
        return self.name


def graph_of(row: Family, resource: bool = False) -> tf.Graph:
    """The network of a row: input `[n, 8, 8, 3]`, output node `output` `[n, 5]`."""
    return _graph_of(row, resource)


@functools.lru_cache(maxsize=None)
def _graph_of(row: Family, resource: bool) -> tf.Graph:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        with tf.variable_scope('', use_resource=resource):
            x = networks.conv(x, WIDTH, 3, name='first', use_bias=False)
            with tf.variable_scope('first_norm'):
                x = tf.nn.relu(networks.batch_norm(x))
            _finish(row.build(x))
        return graph


def _finish(x: tf.Tensor) -> None:
    if x.shape.rank == 4:
        x = tf.nn.relu(networks.conv(x, LAST, name='last'))
        x = tf.reduce_mean(x, [1, 2])
    else:
        x = tf.nn.relu(tf.layers.dense(x, LAST, name='last'))
    tf.identity(tf.layers.dense(x, networks.CLASSES, name='dense'), name='output')


def family(name: str, build: Callable[[tf.Tensor], tf.Tensor], **groups: int) -> Family:
    """A row whose free groups are `first`, `last` and the ones that are named.

    A width of 0 takes a group away.
    """
    widths = {'first': WIDTH, 'last': LAST, **groups}
    return Family(name, build, {k: width for k, width in widths.items() if width})


def unary(function: Callable[[tf.Tensor], tf.Tensor]):
    # The convolution before it brings negative values too.
    return lambda x: function(networks.conv(x, 7, name='signed'))


def positive(function: Callable[[tf.Tensor], tf.Tensor]):
    return lambda x: function(unary(tf.abs)(x) + 1.0)


def branch(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]):
    return lambda x: function(x, networks.conv(x, WIDTH, name='other'))


def vector(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]):
    return lambda x: function(x, tf.get_variable('vector', [x.shape[-1].value]))


def constant_vector(x: tf.Tensor) -> tf.Tensor:
    return x * tf.constant(np.linspace(0.5, 2.0, WIDTH), tf.float32)


def gate(x: tf.Tensor) -> tf.Tensor:
    with tf.variable_scope('gate'):
        y = tf.reduce_mean(x, [1, 2], keepdims=True)
        y = tf.nn.relu(networks.conv(y, 4, name='reduce'))
        return x * tf.sigmoid(networks.conv(y, WIDTH, name='expand'))


def attention(x: tf.Tensor) -> tf.Tensor:
    return x * tf.sigmoid(networks.conv(x, 1, name='mask'))


def unfused_batch_norm(x: tf.Tensor) -> tf.Tensor:
    return tf.layers.batch_normalization(x, fused=False, name='unfused')


def without_scale(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(tf.layers.batch_normalization(x, scale=False, name='norm'))


def without_center(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(tf.layers.batch_normalization(x, center=False, name='norm'))


def prelu(x: tf.Tensor) -> tf.Tensor:
    y = networks.conv(x, 7, name='signed')
    alpha = tf.get_variable('alpha', [7])
    return tf.nn.relu(y) - alpha * tf.nn.relu(-y)


def inner(size: int, **options):
    return lambda x: tf.layers.conv2d(
        x, 10, size, name='inner', activation=tf.nn.relu, **options
    )


def separable(**options):
    return lambda x: tf.layers.separable_conv2d(x, 10, 3, name='inner', **options)


def concat(axis: int, width: int):
    return lambda x: tf.concat([x, networks.conv(x, width, name='other')], axis)


def flatten(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, 8 * 8 * WIDTH])


def transposed(x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.relu(tf.transpose(x, [0, 3, 1, 2]))
    return tf.transpose(x, [0, 2, 3, 1])


def pool_squeeze_expand(x: tf.Tensor) -> tf.Tensor:
    x = tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True), [1, 2])
    return tf.expand_dims(tf.expand_dims(x, 1), 1)


def pool_reshape(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.reduce_mean(x, [1, 2]), [-1, 1, 1, WIDTH])


def pack_batch(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, tf.stack([tf.shape(x)[0], 8, 8, WIDTH]))


def transposed_dense(x: tf.Tensor) -> tf.Tensor:
    weights = tf.get_variable('turned/kernel', [9, WIDTH])
    return tf.matmul(tf.reduce_mean(x, [1, 2]), weights, transpose_b=True)


def pads(*corners: Tuple[int, int]):
    return [[0, 0], *corners, [0, 0]]


_UNARY = {
    'Abs': tf.abs,
    'Cast': lambda x: tf.cast(tf.cast(x, tf.float64), tf.float32),
    'Ceil': lambda x: tf.ceil(x * 4.0),
    'Elu': tf.nn.elu,
    'Erf': tf.erf,
    'Exp': tf.exp,
    'Expm1': tf.math.expm1,
    'Floor': lambda x: tf.floor(x * 4.0),
    'LeakyRelu': tf.nn.leaky_relu,
    'Neg': tf.negative,
    'Relu6': tf.nn.relu6,
    'Round': lambda x: tf.round(x * 4.0),
    'Selu': tf.nn.selu,
    'Sigmoid': tf.sigmoid,
    'Sign': tf.sign,
    'Softplus': tf.nn.softplus,
    'Softsign': tf.nn.softsign,
    'Square': tf.square,
    'Tanh': tf.tanh,
    'CheckNumerics': lambda x: tf.check_numerics(x, 'x'),
    'StopGradient': tf.stop_gradient,
    'PreventGradient': lambda x: tf.raw_ops.PreventGradient(input=x, message=''),
    'Snapshot': lambda x: tf.raw_ops.Snapshot(input=x),
    'swish': lambda x: x * tf.sigmoid(x),
    'swish of TensorFlow': tf.nn.swish,
    'second output of IdentityN': lambda x: tf.identity_n([-x, x * 2.0])[1],
    'hard swish': networks.ACTIVATIONS['hard_swish'],
}
_POSITIVE = {
    'Log': tf.log,
    'Log1p': tf.log1p,
    'Reciprocal': lambda x: tf.raw_ops.Reciprocal(x=x),
    'Rsqrt': tf.rsqrt,
    'Sqrt': tf.sqrt,
}
_BINARY = {
    'AddV2': tf.add,
    'Add': lambda x, y: tf.raw_ops.Add(x=x, y=y),
    'AddN': lambda x, y: tf.add_n([x, y, x]),
    'Div': lambda x, y: tf.raw_ops.Div(x=x, y=tf.abs(y) + 1.0),
    'DivNoNan': tf.div_no_nan,
    'Maximum': tf.maximum,
    'Minimum': tf.minimum,
    'Mul': tf.multiply,
    'MulNoNan': lambda x, y: tf.raw_ops.MulNoNan(x=x, y=y),
    'Pow': lambda x, y: tf.pow(tf.abs(x) + 0.5, y),
    'RealDiv': lambda x, y: tf.realdiv(x, tf.abs(y) + 1.0),
    'SquaredDifference': tf.squared_difference,
    'Sub': tf.subtract,
}
_VECTOR = {
    'add a vector': tf.add,
    'multiply by a vector': tf.multiply,
    'subtract a vector': tf.subtract,
    'maximum with a vector': tf.maximum,
}
_REDUCTIONS = {
    'Mean': tf.reduce_mean,
    'Max': tf.reduce_max,
    'Min': tf.reduce_min,
    'Prod': lambda x, axes, **k: tf.reduce_prod(1.0 + 0.1 * tf.tanh(x), axes, **k),
    'Sum': lambda x, axes, **k: 0.1 * tf.reduce_sum(x, axes, **k),
}
_RESIZES = {
    'ResizeArea': tf.image.resize_area,
    'ResizeBicubic': tf.image.resize_bicubic,
    'ResizeBilinear': tf.image.resize_bilinear,
    'ResizeNearestNeighbor': tf.image.resize_nearest_neighbor,
}

FAMILIES = (
    family('nothing between', lambda x: x),
    *(family(name, unary(f), signed=7) for name, f in _UNARY.items()),
    *(family(name, positive(f), signed=7) for name, f in _POSITIVE.items()),
    *(family(name, branch(f)) for name, f in _BINARY.items()),
    *(family(name, vector(f)) for name, f in _VECTOR.items()),
    *(family(name, lambda x, f=f: f(x, [1, 2])) for name, f in _REDUCTIONS.items()),
    *(
        family(f'{name} that keeps axes', lambda x, f=f: f(x, [1, 2], keepdims=True))
        for name, f in _REDUCTIONS.items()
    ),
    *(family(name, lambda x, f=f: f(x, [5, 6])) for name, f in _RESIZES.items()),
    family('constant vector', constant_vector),
    family('squeeze-and-excite gate', gate, gate=4),
    family('one channel spread over all', attention),
    family('unfused batch norm', unfused_batch_norm),
    family('batch norm without scale', without_scale),
    family('batch norm without center', without_center),
    family('PReLU', prelu, signed=7),
    family('1x1 convolution', inner(1), inner=10),
    family('3x3 convolution, SAME', inner(3, padding='same'), inner=10),
    family('3x3 convolution, VALID', inner(3), inner=10),
    family('3x3 convolution, stride 2', inner(3, strides=2, padding='same'), inner=10),
    family('depthwise', networks.depthwise),
    family('depthwise multiplier 2', lambda x: networks.depthwise(x, multiplier=2)),
    family('separable', separable(), inner=10),
    family('separable multiplier 2', separable(depth_multiplier=2), inner=10),
    family('dense with transposed weights', transposed_dense, turned=9),
    family('concat of channels', concat(-1, 5), other=5),
    family('concat of rows', concat(1, WIDTH)),
    family('flatten', flatten),
    family('flatten by layer', tf.layers.flatten),
    family('transpose', transposed),
    family('squeeze and expand', pool_squeeze_expand),
    family('reshape of the pooled', pool_reshape),
    family('reshape with packed sizes', pack_batch),
    family('MaxPool', lambda x: tf.nn.max_pool2d(x, 3, 2, 'SAME')),
    family('AvgPool', lambda x: tf.nn.avg_pool2d(x, 3, 2, 'SAME')),
    family('Pad', lambda x: tf.pad(x, pads([1, 2], [0, 1]))),
    family('PadV2', lambda x: tf.pad(x, pads([1, 2], [0, 1]), constant_values=3.0)),
    family('MirrorPad', lambda x: tf.pad(x, pads([1, 2], [0, 1]), 'REFLECT')),
    family('Softmax', tf.nn.softmax, first=0),
    family('LogSoftmax', tf.nn.log_softmax, first=0),
)
