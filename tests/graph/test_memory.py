from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import memory


def check(build):
    with tf.Graph().as_default() as graph:
        build(tf.placeholder(tf.float32, [2, 4], name='x'))
    memory.check(graph)


def size_of(x):
    return tf.cast(tf.reduce_sum(x), tf.int32)


def reserve(length):
    tf.raw_ops.TensorListReserve(
        element_shape=tf.constant([], tf.int32),
        num_elements=length,
        element_dtype=tf.float32,
        name='list',
    )


@pytest.mark.parametrize(
    'build',
    [
        lambda x: tf.fill([1000, 1000], 1.0),
        lambda x: reserve(100),
        lambda x: tf.TensorArray(tf.float32, size_of(x)).write(0, x),
        lambda x: reserve(tf.shape(x)[0] * 2),
    ],
)
def test_what_fits_passes(build):
    check(build)


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda x: tf.fill([1000] * 4, 1.0, name='big'), r"'big' \(Fill\).*1000, 1000"),
        (lambda x: tf.tile(x, [10**9, 1], name='big'), r"'big' \(Tile\)"),
        (
            lambda x: tf.cast(tf.placeholder(tf.float32, [1 << 29]), tf.complex128),
            r"'Cast' \(Cast\)",
        ),
        (lambda x: reserve(2 * 10**9), r"'list'.* a list of 2,000,000,000 items"),
        (
            lambda x: reserve(tf.constant(50000) * tf.constant(40000)),
            r"'list' \(TensorListReserve\) makes a list of 2,000,000,000 items",
        ),
        (
            lambda x: tf.TensorArray(tf.float32, tf.shape(x)[0] * 10**9).write(0, x),
            r"'TensorArray' \(TensorArrayV3\) makes a list of 2,000,000,000 items",
        ),
        (
            lambda x: reserve(size_of(x)),
            r"'list' \(TensorListReserve\).*depends on 'Cast' \(Cast\)",
        ),
    ],
)
def test_what_fills_the_memory_is_named(build, message):
    with pytest.raises(GraphError, match=message):
        check(build)
