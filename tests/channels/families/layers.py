"""Convolutions, dense layers and batch norm; kernels that are changed on the way."""

from __future__ import annotations

from typing import Callable

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels.families.row import WIDTH, family


def unfused_batch_norm(x: tf.Tensor) -> tf.Tensor:
    return tf.layers.batch_normalization(x, fused=False, name='unfused')


def without_scale(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(tf.layers.batch_normalization(x, scale=False, name='norm'))


def without_center(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(tf.layers.batch_normalization(x, center=False, name='norm'))


def inner(size: int, **options):
    return lambda x: tf.layers.conv2d(
        x, 10, size, name='inner', activation=tf.nn.relu, **options
    )


def separable(**options):
    return lambda x: tf.layers.separable_conv2d(x, 10, 3, name='inner', **options)


def transposed_dense(x: tf.Tensor) -> tf.Tensor:
    weights = tf.get_variable('turned/kernel', [9, WIDTH])
    return tf.matmul(tf.reduce_mean(x, [1, 2]), weights, transpose_b=True)


def dense_on_pixels(x: tf.Tensor) -> tf.Tensor:
    return tf.layers.dense(x, 9, name='inner', activation=tf.nn.relu)


def dense_without_batch(x: tf.Tensor) -> tf.Tensor:
    weights = tf.get_variable('product/kernel', [WIDTH, 9])
    return tf.raw_ops.BatchMatMul(x=tf.reduce_mean(x, [1, 2]), y=weights)


def batch_product(x: tf.Tensor) -> tf.Tensor:
    weights = tf.get_variable('product/kernel', [1, WIDTH, 9])
    x = tf.raw_ops.BatchMatMulV2(x=tf.reshape(x, [-1, 64, WIDTH]), y=weights)
    return tf.reduce_mean(x, 1)


def turned_batch_product(x: tf.Tensor) -> tf.Tensor:
    weights = tf.get_variable('product/kernel', [9, WIDTH])
    x = tf.raw_ops.BatchMatMulV2(
        x=tf.reshape(x, [-1, 64, WIDTH]), y=weights, adj_y=True
    )
    return tf.reduce_mean(x, 1)


def attention(heads: int, width: int):
    """Each pixel looks at all others: products of two activations."""
    size = heads * width

    def split(x: tf.Tensor, name: str) -> tf.Tensor:
        x = tf.layers.dense(x, size, name=name)
        return tf.transpose(tf.reshape(x, [-1, 64, heads, width]), [0, 2, 1, 3])

    def build(x: tf.Tensor) -> tf.Tensor:
        pixels = tf.reshape(x, [-1, 64, WIDTH])
        query, key, value = (split(pixels, name) for name in ('query', 'key', 'value'))
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True))
        found = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        found = tf.reshape(found, [-1, 8, 8, size])
        return x + tf.layers.dense(found, WIDTH, name='mixed')

    return build


def pixels_together(x: tf.Tensor) -> tf.Tensor:
    """Bilinear pooling: products of channels, summed over the pixels."""
    pixels = tf.reshape(x, [-1, 64, WIDTH])
    other = tf.reshape(networks.conv(x, 1, name='other'), [-1, 64, 1])
    return tf.squeeze(tf.matmul(pixels, other, transpose_a=True) / 64.0, 2)


def lines(x: tf.Tensor) -> tf.Tensor:
    x = tf.reshape(x, [-1, 64, WIDTH])
    x = tf.layers.conv1d(x, 10, 3, name='inner', activation=tf.nn.relu)
    return tf.reduce_mean(x, 1)


def volume(x: tf.Tensor) -> tf.Tensor:
    x = tf.stack([x, x[:, ::-1]], axis=1)
    x = tf.layers.conv3d(x, 10, [2, 3, 3], name='inner', activation=tf.nn.relu)
    x = tf.nn.max_pool3d(x, [1, 1, 2, 2, 1], [1, 1, 1, 1, 1], 'VALID')
    return tf.squeeze(tf.nn.avg_pool3d(x, [1, 1, 2, 2, 1], 1, 'VALID'), 1)


def transposed_volume(x: tf.Tensor) -> tf.Tensor:
    x = tf.layers.conv3d_transpose(tf.expand_dims(x, 1), 10, [1, 3, 3], name='inner')
    return tf.squeeze(x, 1)


def deconvolution(size: int, **options):
    return lambda x: tf.layers.conv2d_transpose(
        x, 10, size, name='inner', activation=tf.nn.relu, **options
    )


def split_convolution(x: tf.Tensor) -> tf.Tensor:
    """A grouped convolution, as networks for TF 1.15 write it."""
    parts = tf.split(x, 2, axis=-1)
    return tf.concat(
        [networks.conv(part, 5, name=f'part_{i}') for i, part in enumerate(parts)], -1
    )


def kernel_layer(change: Callable[[tf.Tensor], tf.Tensor], *shape: int):
    """A convolution whose kernel is a changed variable."""

    def build(x: tf.Tensor) -> tf.Tensor:
        kernel = change(tf.get_variable('changed/kernel', shape))
        return tf.nn.relu(tf.nn.conv2d(x, kernel, 1, 'SAME'))

    return build


def constant_kernel(x: tf.Tensor) -> tf.Tensor:
    values = np.random.RandomState(3).uniform(-1, 1, [3, 3, WIDTH, 10])
    kernel = tf.constant(values, tf.float32, name='frozen/kernel')
    return tf.nn.relu(tf.nn.conv2d(x, kernel, 1, 'SAME'))


def quantized(kernel: tf.Tensor) -> tf.Tensor:
    high = np.linspace(0.5, 2.0, 10).astype(np.float32)
    quantize = tf.quantization.fake_quant_with_min_max_vars_per_channel
    return quantize(kernel, -high, high)


_KERNELS = {
    'behind a transpose': (lambda k: tf.transpose(k, [0, 1, 3, 2]), (1, 1, 10, WIDTH)),
    'behind a reshape': (lambda k: tf.reshape(k, [1, 1, WIDTH, 10]), (WIDTH, 10)),
    'behind expand_dims': (lambda k: tf.expand_dims(k, 0), (1, WIDTH, 10)),
    'behind a squeeze': (lambda k: tf.squeeze(k, 0), (1, 3, 3, WIDTH, 10)),
    'behind a cast': (
        lambda k: tf.cast(tf.cast(k, tf.float64), tf.float32),
        (1, 1, WIDTH, 10),
    ),
    'scaled': (lambda k: 0.5 * k / 2.0, (3, 3, WIDTH, 10)),
    'fake-quantized': (
        lambda k: tf.quantization.fake_quant_with_min_max_args(k, -1, 1),
        (1, 1, WIDTH, 10),
    ),
    'fake-quantized for each channel': (quantized, (1, 1, WIDTH, 10)),
}

ROWS = (
    family('unfused batch norm', unfused_batch_norm),
    family('batch norm without scale', without_scale),
    family('batch norm without center', without_center),
    family('1x1 convolution', inner(1), inner=10),
    family('3x3 convolution, SAME', inner(3, padding='same'), inner=10),
    family('3x3 convolution, VALID', inner(3), inner=10),
    family('3x3 convolution, stride 2', inner(3, strides=2, padding='same'), inner=10),
    family('dilated convolution', inner(3, dilation_rate=2), inner=10),
    family(
        'dilated convolution, SAME',
        inner(3, dilation_rate=2, padding='same'),
        inner=10,
    ),
    family('depthwise', networks.depthwise),
    family('depthwise multiplier 2', lambda x: networks.depthwise(x, multiplier=2)),
    family('separable', separable(), inner=10),
    family('separable multiplier 2', separable(depth_multiplier=2), inner=10),
    family('transposed 1x1 convolution', deconvolution(1), inner=10),
    family('transposed 1x1, stride 2', deconvolution(1, strides=2), inner=10),
    family('transposed convolution', deconvolution(3, strides=2), inner=10),
    family('convolution of lines', lines, inner=10),
    family('convolution of a volume', volume, inner=10),
    family('transposed convolution of a volume', transposed_volume, inner=10),
    family(
        'grouped convolution by split', split_convolution, first=6, part_0=5, part_1=5
    ),
    family('dense with transposed weights', transposed_dense, turned=9),
    family('dense on pixels', dense_on_pixels, inner=9),
    family('BatchMatMul', dense_without_batch, product=9),
    family('BatchMatMulV2', batch_product, product=9),
    family('BatchMatMulV2, transposed', turned_batch_product, product=9),
    family('attention', attention(1, 8), query=8, value=8),
    family('attention of wide heads', attention(2, 8), query=8, value=8),
    family('attention of many heads', attention(8, 2), query=8),
    family('product over pixels', pixels_together, other=1),
    family('constant kernel', constant_kernel, frozen=10),
    *(
        family(f'kernel {name}', kernel_layer(change, *shape), changed=10)
        for name, (change, shape) in _KERNELS.items()
    ),
)
