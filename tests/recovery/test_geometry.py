"""The rows that a layer reads, times its kernel, are what it makes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.recovery import geometry

IMAGE = np.random.RandomState(0).randn(2, 7, 6, 3).astype(np.float32)
VOLUME = np.random.RandomState(0).randn(2, 4, 5, 3, 2).astype(np.float32)


def kernel(*shape):
    return np.random.RandomState(1).randn(*shape).astype(np.float32)


def run(build):
    with tf.Graph().as_default(), tf.Session() as session:
        made = build()
        return made.op.node_def, session.run(made)


def flat(images):
    return images.reshape(len(images), -1, images.shape[-1])


def rows_of(node, x, y, taps):
    table = geometry.table(node, x.shape[1:-1], y.shape[1:-1], taps)
    return geometry.rows(flat(x), table, np.arange(x.shape[-1]), 1)[0]


def check(build, x, weights, taps):
    """`weights` are `[taps * in, out]`."""
    node, y = run(build)
    found = rows_of(node, x, y, taps) @ weights
    np.testing.assert_allclose(found, y.reshape(-1, y.shape[-1]), atol=1e-5)


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize('strides, dilations', [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_convolution(padding, strides, dilations):
    w = kernel(3, 2, 3, 4)
    check(
        lambda: tf.nn.conv2d(
            IMAGE, w, strides=strides, padding=padding, dilations=dilations
        ),
        IMAGE,
        w.reshape(-1, 4),
        (3, 2),
    )


def test_a_convolution_that_leaves_out_the_last_pixels_has_no_padding():
    w = kernel(1, 1, 3, 4)
    check(
        lambda: tf.nn.conv2d(IMAGE[:, :6], w, strides=4, padding='SAME'),
        IMAGE[:, :6],
        w.reshape(-1, 4),
        (1, 1),
    )


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize('stride', [1, 2])
def test_convolution_of_volumes(padding, stride):
    w = kernel(2, 3, 1, 2, 4)
    strides = [1, stride, stride, 1, 1]
    check(
        lambda: tf.nn.conv3d(VOLUME, w, strides=strides, padding=padding),
        VOLUME,
        w.reshape(-1, 4),
        (2, 3, 1),
    )


@pytest.mark.parametrize(
    'padding, stride, size',
    [('SAME', 2, (14, 12)), ('SAME', 2, (13, 11)), ('VALID', 2, (15, 13))],
)
def test_transposed_convolution(padding, stride, size):
    w = kernel(3, 3, 4, 3)
    check(
        lambda: tf.nn.conv2d_transpose(
            IMAGE, w, [2, *size, 4], strides=stride, padding=padding
        ),
        IMAGE,
        w.transpose(0, 1, 3, 2).reshape(-1, 4),
        (3, 3),
    )


def test_depthwise_convolution_has_a_system_per_channel():
    w = kernel(3, 3, 3, 2)
    node, y = run(lambda: tf.nn.depthwise_conv2d(IMAGE, w, [1, 2, 2, 1], 'SAME'))
    table = geometry.table(node, IMAGE.shape[1:-1], y.shape[1:-1], (3, 3))

    rows = geometry.rows(flat(IMAGE), table, np.arange(3), 3)
    made = geometry.made(flat(y), np.arange(len(table)), np.arange(6), 3)

    assert rows.shape == (3, 2 * len(table), 9)
    weights = w.transpose(2, 0, 1, 3).reshape(3, 9, 2)
    np.testing.assert_allclose(rows @ weights, made, atol=1e-5)


def test_groups_read_their_own_channels():
    images = np.arange(8.0).reshape(1, 2, 4)
    table = np.array([[0], [1]])
    found = geometry.rows(images, table, np.array([0, 1, 2, 3]), 2)
    np.testing.assert_array_equal(found, [[[0, 1], [4, 5]], [[2, 3], [6, 7]]])


def test_pixels_and_channels_may_be_few():
    images = np.arange(12.0).reshape(2, 2, 3)
    found = geometry.rows(images, np.array([[1]]), np.array([0, 2]), 1)
    np.testing.assert_array_equal(found, [[[3, 5], [9, 11]]])
