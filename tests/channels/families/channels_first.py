"""Layers with channels first, `NCHW` and `NCDHW`."""

from __future__ import annotations

from typing import Callable

import tensorflow.compat.v1 as tf

from tests.channels.families.row import WIDTH, family

TO_FIRST = [0, 3, 1, 2]
TO_LAST = [0, 2, 3, 1]

Build = Callable[[tf.Tensor], tf.Tensor]


def first(build: Build) -> Build:
    """A layer on the tensor with its channels first."""
    return lambda x: tf.transpose(build(tf.transpose(x, TO_FIRST)), TO_LAST)


def convolution(size: int, **options):
    return lambda x: tf.layers.conv2d(
        x,
        10,
        size,
        name='inner',
        activation=tf.nn.relu,
        data_format='channels_first',
        **options,
    )


def explicitly_padded(x: tf.Tensor) -> tf.Tensor:
    kernel = tf.get_variable('inner/kernel', [3, 3, WIDTH, 10])
    pads = [[0, 0], [0, 0], [1, 2], [0, 1]]
    return tf.nn.conv2d(x, kernel, [1, 1, 2, 1], pads, data_format='NCHW')


def depthwise(x: tf.Tensor) -> tf.Tensor:
    kernel = tf.get_variable('depthwise/kernel', [3, 3, WIDTH, 2])
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], 'SAME', data_format='NCHW')


def biased(x: tf.Tensor) -> tf.Tensor:
    bias = tf.get_variable('bias', [WIDTH])
    return tf.nn.relu(tf.nn.bias_add(x, bias, data_format='NCHW'))


def normalized(x: tf.Tensor) -> tf.Tensor:
    x = convolution(3, use_bias=False)(x)
    return tf.nn.relu(tf.layers.batch_normalization(x, axis=1, name='norm'))


def deconvolution(x: tf.Tensor) -> tf.Tensor:
    return tf.layers.conv2d_transpose(
        x, 10, 3, strides=2, name='inner', data_format='channels_first'
    )


def volume(x: tf.Tensor) -> tf.Tensor:
    x = tf.stack([x, x[:, :, ::-1]], axis=2)
    x = tf.layers.conv3d(
        x, 10, [2, 3, 3], name='inner', padding='same', data_format='channels_first'
    )
    x = tf.nn.max_pool3d(x, [1, 2, 2], 1, 'VALID', data_format='NCDHW')
    x = tf.nn.avg_pool3d(x, [1, 2, 2], 1, 'VALID', data_format='NCDHW')
    return tf.reduce_mean(x, 2)


def transposed_volume(x: tf.Tensor) -> tf.Tensor:
    x = tf.layers.conv3d_transpose(
        tf.expand_dims(x, 2), 10, [1, 3, 3], name='inner', data_format='channels_first'
    )
    return tf.squeeze(x, 2)


def max_pool(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(x, 3, 2, 'SAME', data_format='NCHW')


def avg_pool(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(x, 2, 2, 'VALID', data_format='NCHW')


def space_to_depth(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.space_to_depth(x, 2, data_format='NCHW')


def depth_to_space(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.depth_to_space(x, 2, data_format='NCHW')


ROWS = tuple(
    family(f'channels first: {name}', first(build), **groups)
    for name, build, groups in (
        ('1x1 convolution', convolution(1), {'inner': 10}),
        ('3x3 convolution, SAME', convolution(3, padding='same'), {'inner': 10}),
        ('stride 2', convolution(3, strides=2, padding='same'), {'inner': 10}),
        ('dilated convolution', convolution(3, dilation_rate=2), {'inner': 10}),
        ('explicit padding', explicitly_padded, {'inner': 10}),
        ('depthwise multiplier 2', depthwise, {}),
        ('batch norm', normalized, {'inner': 10}),
        ('transposed convolution', deconvolution, {'inner': 10}),
        ('convolution of a volume', volume, {'inner': 10}),
        ('transposed convolution of a volume', transposed_volume, {'inner': 10}),
        ('MaxPool', max_pool, {}),
        ('AvgPool', avg_pool, {}),
        ('SpaceToDepth', space_to_depth, {}),
        ('DepthToSpace', depth_to_space, {'first': 3}),
        ('BiasAdd', biased, {}),
    )
)
