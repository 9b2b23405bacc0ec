"""Channels-first kernels become channels-last ones with the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph.frozen.channels_last import channels_last
from tf1pruning.surgery import verify

SHAPE = (2, 6, 7, 4)
TO_FIRST = [0, 3, 1, 2]


def kernel(*shape):
    return np.random.RandomState(1).standard_normal(shape).astype(np.float32)


def convolution(x, data_format):
    strides = [1, 2, 1, 1] if data_format == 'NHWC' else [1, 1, 2, 1]
    return tf.nn.conv2d(x, kernel(3, 2, 4, 5), strides, 'SAME', data_format=data_format)


def padded_convolution(x, data_format):
    pads = [[0, 0], [1, 2], [0, 3], [0, 0]]
    if data_format == 'NCHW':
        pads = [pads[axis] for axis in TO_FIRST]
    return tf.nn.conv2d(x, kernel(3, 2, 4, 5), 1, pads, data_format=data_format)


def depthwise(x, data_format):
    return tf.nn.depthwise_conv2d(
        x, kernel(3, 3, 4, 2), [1, 1, 1, 1], 'SAME', data_format=data_format
    )


def transposed(x, data_format):
    shape = [2, 12, 7, 5]
    if data_format == 'NCHW':
        shape = [shape[axis] for axis in TO_FIRST]
    strides = [2, 1]
    return tf.nn.conv2d_transpose(
        x, kernel(3, 3, 5, 4), shape, strides, 'SAME', data_format
    )


def max_pool(x, data_format):
    return tf.nn.max_pool2d(x, [3, 2], [2, 1], 'SAME', data_format=data_format)


def twice(x, data_format):
    x = tf.nn.avg_pool2d(x, 2, 1, 'SAME', data_format=data_format)
    return tf.nn.avg_pool2d(x, 2, 1, 'SAME', data_format=data_format)


@pytest.mark.parametrize(
    'layer',
    [convolution, padded_convolution, depthwise, transposed, max_pool, twice],
    ids=lambda layer: layer.__name__,
)
def test_twin_has_the_values_of_the_op(layer):
    images = np.random.RandomState(0).standard_normal(SHAPE).astype(np.float32)

    last, first = (graph_of(layer, f).as_graph_def() for f in ('NHWC', 'NCHW'))
    expected = verify.run(last, ['output'], {'input': images})[0]
    found = verify.run(channels_last(first), ['output'], {'input': images})[0]

    np.testing.assert_array_equal(found, expected)


def graph_of(layer, data_format):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, SHAPE, 'input')
        if data_format == 'NCHW':
            x = tf.transpose(layer(tf.transpose(x, TO_FIRST), 'NCHW'), [0, 2, 3, 1])
        else:
            x = layer(x, 'NHWC')
        tf.identity(x, 'output')
    return graph


def test_a_graph_with_channels_last_is_the_same():
    graph_def = graph_of(convolution, 'NHWC').as_graph_def()

    assert channels_last(graph_def).node == graph_def.node


def test_names_and_the_given_graph_stay():
    graph_def = graph_of(convolution, 'NCHW').as_graph_def()
    before = graph_def.SerializeToString(deterministic=True)

    found = channels_last(graph_def)

    assert {n.name for n in graph_def.node} < {n.name for n in found.node}
    assert graph_def.SerializeToString(deterministic=True) == before
