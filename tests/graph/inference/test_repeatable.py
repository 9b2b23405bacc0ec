from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph.inference import repeatable


def draws(build, steps):
    """What a graph with fixed random ops draws at some steps, in one session."""
    with tf.Graph().as_default() as graph:
        tf.identity(build(), 'drawn')
    fixed = repeatable.repeatable(graph.as_graph_def(), 'step')
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(fixed, name='')
        return [session.run('drawn:0', {'step:0': step}) for step in steps]


@pytest.mark.parametrize(
    ('build', 'dtype'),
    [
        (lambda: tf.random.uniform([40]), np.float32),
        (lambda: tf.random.uniform([40], 3, 9, tf.int32), np.int32),
        (lambda: tf.random.normal([40], dtype=tf.float64), np.float64),
        (lambda: tf.random.truncated_normal([40], seed=5), np.float32),
    ],
)
def test_a_step_draws_the_same_numbers_again(build, dtype):
    first, second, again = draws(build, [0, 1, 0])

    np.testing.assert_array_equal(first, again)
    assert (first.shape, first.dtype) == ((40,), dtype)
    assert (first != second).any()


def test_two_random_ops_draw_different_numbers_in_their_range():
    def build():
        return [tf.random.uniform([40], 3, 9, tf.int32) for _ in range(2)]

    ((one, other),) = draws(build, [0])

    assert (one != other).any()
    assert sorted({*one, *other}) == [3, 4, 5, 6, 7, 8]


def test_the_graph_itself_is_not_changed():
    with tf.Graph().as_default() as graph:
        tf.random.uniform([2], name='noise')
    graph_def = graph.as_graph_def()
    before = graph_def.SerializeToString(deterministic=True)

    repeatable.repeatable(graph_def, 'step')

    assert graph_def.SerializeToString(deterministic=True) == before


def test_random_ops_without_a_twin_are_named():
    with tf.Graph().as_default() as graph:
        tf.random.shuffle([1, 2], name='order')
        tf.random.gamma([2], 1.0, name='noise')

    with pytest.raises(GraphError, match=r"'order' \(RandomShuffle\), 'noise/"):
        repeatable.repeatable(graph.as_graph_def(), 'step')
