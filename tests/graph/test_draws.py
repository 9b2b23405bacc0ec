"""Random ops draw the same numbers again, whatever else is in the graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import draws
from tf1pruning.surgery import verify


def drawn(build, more=0):
    """What a graph draws, with some more nodes before its random ones."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [4, 4, 4, 3], 'input')
        for _ in range(more):
            x = tf.abs(x)
        tf.identity(build(x), name='output')
    graph_def = graph.as_graph_def()
    feeds = {'input': np.linspace(0, 1, 192, dtype='f').reshape([4, 4, 4, 3])}
    return verify.run(graph_def, ['output'], feeds)[0]


def in_a_loop(x):
    def body(i, total):
        return i + 1, total + tf.random_normal([20])

    return tf.while_loop(lambda i, _: i < 3, body, [0, tf.zeros([20])])[1]


def in_a_branch(x):
    flag = tf.reduce_sum(x) > 0
    return tf.cond(flag, lambda: tf.random_normal([20]), lambda: tf.zeros([20]))


@pytest.mark.parametrize(
    'build',
    [
        lambda x: tf.random_normal([20]),
        lambda x: tf.random_uniform([20], seed=3),
        lambda x: tf.random_normal(tf.shape(x)),
        lambda x: tf.random.gamma([20], 2.0),
        lambda x: tf.random.poisson(2.0, [20]),
        lambda x: tf.random.categorical(tf.ones([2, 9]), 20),
        lambda x: tf.random_shuffle(tf.range(20)),
        lambda x: tf.nn.fractional_max_pool(x, [1, 1.5, 1.5, 1])[0],
        in_a_loop,
        in_a_branch,
    ],
)
def test_the_same_numbers_come_again(build):
    np.testing.assert_array_equal(drawn(build), drawn(build, more=3))


def test_other_nodes_draw_other_numbers():
    first, second = drawn(lambda x: [tf.random_normal([20]), tf.random_normal([20])])

    assert (first != second).all()


def test_a_graph_without_random_ops_is_what_it_was():
    with tf.Graph().as_default() as graph:
        tf.abs(tf.placeholder(tf.float32, [2]))
    graph_def = graph.as_graph_def()

    assert draws.seeded(graph_def) is graph_def


def test_the_caller_s_graph_keeps_its_seeds():
    with tf.Graph().as_default() as graph:
        tf.random_normal([2], seed=5, name='noise')
    graph_def = graph.as_graph_def()
    before = graph_def.SerializeToString(deterministic=True)

    seeded = draws.seeded(graph_def)

    assert draws.random_nodes(graph_def) == ['noise/RandomStandardNormal']
    assert graph_def.SerializeToString(deterministic=True) == before
    assert seeded != graph_def
