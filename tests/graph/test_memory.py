from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import importing, memory


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


def turns(x):
    """A loop that makes a list of another length in each turn."""

    def turn(i, y):
        return i + 1, tf.TensorArray(tf.float32, i + 1).write(0, y).read(0)

    tf.while_loop(lambda i, _: i < 3, turn, [0, x])


@pytest.mark.parametrize(
    'build',
    [
        lambda x: tf.fill([1000, 1000], 1.0),
        lambda x: reserve(100),
        lambda x: tf.TensorArray(tf.float32, size_of(x)).write(0, x),
        lambda x: reserve(tf.shape(x)[0] * 2),
        lambda x: reserve(tf.constant(2) - 3),
        turns,
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


@pytest.mark.parametrize('op', ['TensorArray', 'TensorArrayV2', 'TensorArrayV3'])
def test_lists_of_older_versions_are_looked_at(op):
    graph_def = tf.GraphDef()
    graph_def.versions.producer = 15
    with tf.Graph().as_default() as graph:
        tf.constant(50000) * tf.constant(40000)
    graph_def.node.extend(graph.as_graph_def().node)
    node = graph_def.node.add(name='list', op=op, input=['mul'])
    node.attr['dtype'].type = tf.float32.as_datatype_enum

    with pytest.raises(GraphError, match='makes a list of 2,000,000,000 items'):
        memory.check(importing.import_graph(graph_def))
