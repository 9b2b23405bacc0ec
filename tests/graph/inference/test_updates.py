from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import updates
from tf1pruning.graph.view import GraphView

STATISTICS = ('norm/moving_mean', 'norm/moving_variance')


def nothing_runs(last, **options):
    """The updates of a batch norm that nothing runs, with `last` behind it."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 3])
        with tf.variable_scope('', **options):
            layer = tf.layers.batch_normalization
            x = layer(tf.layers.conv2d(x, 3, 1), training=True, name='norm')
        last(x)
        tf.train.Saver()
        tf.global_variables_initializer()
    return updates.never_run(GraphView(graph.as_graph_def()), STATISTICS)


def minimize(x):
    return tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(x))


def minimize_after_updates(x):
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        minimize(x)


def grouped(x):
    tf.group(minimize(x), *tf.get_collection(tf.GraphKeys.UPDATE_OPS))


@pytest.mark.parametrize('resource', [False, True])
def test_updates_that_nothing_waits_for_are_found(resource):
    for last in (tf.identity, minimize):
        found = nothing_runs(last, use_resource=resource)

        assert len(found) == 2
        assert all(name.startswith('norm/AssignMovingAvg') for name in found)


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('last', [minimize_after_updates, grouped])
def test_updates_of_a_training_step_run(last, resource):
    assert nothing_runs(last, use_resource=resource) == []
