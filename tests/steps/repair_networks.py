"""Networks with layers that read eight channels, of which four depend on the others."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks

SIZE, MADE = 8, 8


def stem(x, rank=4, axis=-1):
    """Eight channels, of which the last four are sums of the first four."""
    generator = np.random.RandomState(3)
    independent = generator.randn(3, 4)
    kernel = np.hstack([independent, independent @ generator.randn(4, 4)])
    shape = [1] * (rank - 2) + [3, MADE]
    w = tf.get_variable(
        'stem', initializer=kernel.reshape(shape).astype(np.float32), trainable=True
    )
    bias = tf.get_variable('stem_bias', [MADE])
    if rank == 5:
        return tf.nn.bias_add(tf.nn.conv3d(x, w, [1] * 5, 'SAME'), bias)
    form = 'NCHW' if axis == 1 else 'NHWC'
    return tf.nn.bias_add(tf.nn.conv2d(x, w, 1, 'SAME', data_format=form), bias, form)


def conv(x, size, made, name='reader', **options):
    w = tf.get_variable(name, [size, size, x.shape[-1], made])
    options = {'strides': 1, 'padding': 'SAME', **options}
    return tf.nn.bias_add(
        tf.nn.conv2d(x, w, **options), tf.get_variable(f'{name}_b', [made])
    )


def strided(x):
    return conv(stem(x), 3, 5, strides=2)


def valid(x):
    return conv(stem(x), 3, 5, padding='VALID')


def one_dimension(x):
    rows = tf.reshape(stem(x), [-1, SIZE * SIZE, MADE])
    made = tf.nn.conv1d(rows, tf.get_variable('reader', [3, MADE, 5]), 2, 'SAME')
    return tf.nn.bias_add(made, tf.get_variable('bias', [5]))


def looped(x):
    def body(i, y):
        return i + 1, 2 * y

    y = tf.while_loop(lambda i, y: i < 2, body, [0, conv(stem(x), 3, 5, 'first')])[1]
    return conv(y, 1, 5)


def dilated(x):
    return tf.layers.conv2d(stem(x), 5, 3, dilation_rate=2, name='reader')


def without_bias(x):
    w = tf.get_variable('reader', [3, 3, MADE, 5])
    return tf.nn.conv2d(stem(x), w, 1, 'SAME')


def normalized(x):
    w = tf.get_variable('reader', [3, 3, MADE, 5])
    return tf.nn.relu(networks.batch_norm(tf.nn.conv2d(stem(x), w, 1, 'SAME')))


def transposed(x):
    w = tf.get_variable('reader', [3, 3, 5, MADE])
    y = stem(x)
    shape = [tf.shape(y)[0], 2 * SIZE, 2 * SIZE, 5]
    made = tf.nn.conv2d_transpose(y, w, shape, 2)
    return tf.nn.bias_add(made, tf.get_variable('bias', [5]))


def channels_first(x):
    y = stem(tf.transpose(x, [0, 3, 1, 2]), axis=1)
    w = tf.get_variable('reader', [3, 3, MADE, 5])
    made = tf.nn.conv2d(y, w, 1, 'SAME', data_format='NCHW')
    return tf.nn.bias_add(made, tf.get_variable('bias', [5]), 'NCHW')


def flattened(x):
    return tf.layers.dense(tf.layers.flatten(stem(x)), 5, name='reader')


def per_token(x):
    tokens = tf.reshape(stem(x), [-1, SIZE * SIZE, MADE])
    return tf.layers.dense(tokens, 5, name='reader')


def depthwise_first(x):
    # One kernel for all: sums of channels stay what they are.
    one = np.random.RandomState(4).randn(3, 3, 1, 1).astype(np.float32)
    w = tf.get_variable('depthwise', initializer=np.tile(one, [1, 1, MADE, 1]))
    y = tf.nn.depthwise_conv2d(stem(x), w, [1, 1, 1, 1], 'SAME')
    return conv(networks.batch_norm(y), 1, 5)


def several_readers(x):
    y = stem(x)
    return tf.concat([conv(y, 1, 5, 'one'), conv(y, 3, 4, 'three')], -1)


def shared_kernel(x):
    y = stem(x)
    w = tf.get_variable('reader', [3, 3, MADE, 5])
    once = tf.nn.conv2d(y, w, 1, 'SAME')
    again = tf.nn.conv2d(tf.nn.avg_pool2d(y, 2, 2, 'SAME'), w, 1, 'SAME')
    biases = [tf.get_variable(f'bias_{i}', [5]) for i in (0, 1)]
    small = tf.nn.bias_add(again, biases[1])
    return tf.nn.bias_add(once, biases[0]) + tf.image.resize_images(small, [SIZE, SIZE])


def resource_variables(x):
    with tf.variable_scope('net', use_resource=True):
        return conv(stem(x), 3, 5)


def partitioned(x):
    w = tf.get_variable(
        'reader', [3, 3, MADE, 5], partitioner=tf.fixed_size_partitioner(2, axis=3)
    )
    made = tf.nn.conv2d(stem(x), w, 1, 'SAME')
    return tf.nn.bias_add(made, tf.get_variable('bias', [5]))


def masked(x):
    w = tf.get_variable('reader', [3, 3, MADE, 5])
    mask = tf.get_variable(
        'mask', [3, 3, MADE, 5], initializer=tf.ones_initializer(), trainable=False
    )
    made = tf.nn.conv2d(stem(x), w * mask, 1, 'SAME')
    return tf.nn.bias_add(made, tf.get_variable('bias', [5]))


NETWORKS = {
    each.__name__: each
    for each in (
        strided,
        valid,
        one_dimension,
        looped,
        dilated,
        without_bias,
        normalized,
        transposed,
        channels_first,
        flattened,
        per_token,
        depthwise_first,
        several_readers,
        shared_kernel,
        resource_variables,
        partitioned,
        masked,
    )
}
