from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tf1pruning.channels.groups import Group, Place
from tf1pruning.errors import GraphError, OptionError, PlanError, WorkflowError
from tf1pruning.plan import plan_group
from tf1pruning.training import regularizers


def variable(name, value, **options):
    value = np.array(value, np.float32)
    start = tf.initializers.constant(value)
    return tf.get_variable(name, value.shape, initializer=start, **options)


def value_and_gradients(build):
    """The value of a loss, and its gradient for each trainable variable by name."""
    with tf.Graph().as_default(), tf.Session() as session:
        loss = build()
        trainable = tf.trainable_variables()
        session.run(tf.global_variables_initializer())
        gradients = tf.gradients(loss, trainable)
        names = [v.op.name for v in trainable]
        found, arrays = session.run([loss, dict(zip(names, gradients))])
    assert found.shape == ()
    return found, arrays


@pytest.mark.parametrize('resource', [False, True])
def test_group_lasso_adds_up_the_norms_of_filters(resource):
    def build():
        # Filters (3, 4), (0, 0) and (0, 1): norms 5, 0 and 1.
        kernel = variable('k', [[3, 0, 0], [4, 0, 1]], use_resource=resource)
        return regularizers.group_lasso([kernel], 0.5)

    value, gradients = value_and_gradients(build)

    assert value == pytest.approx(3.0)
    np.testing.assert_allclose(gradients['k'], [[0.3, 0, 0], [0.4, 0, 0.5]], rtol=1e-6)


def test_group_lasso_takes_the_filters_from_the_axis_that_is_given():
    def build():
        return regularizers.group_lasso([variable('k', [[3, 4], [0, 2]])], 1.0, axis=0)

    assert value_and_gradients(build)[0] == pytest.approx(7.0)


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('whole', [True, False])
def test_group_lasso_takes_the_parts_of_a_kernel_together(axis, whole):
    def build():
        start = tf.constant([[3.0, 0, 0], [4, 0, 1]])
        parts = tf.fixed_size_partitioner(2, axis)
        kernel = tf.get_variable('k', initializer=start, partitioner=parts)
        kernels = [kernel] if whole else tf.trainable_variables()
        return regularizers.group_lasso(kernels, 0.5)

    value, gradients = value_and_gradients(build)

    assert value == pytest.approx(3.0)
    found = np.concatenate([gradients['k/part_0'], gradients['k/part_1']], axis)
    np.testing.assert_allclose(found, [[0.3, 0, 0], [0.4, 0, 0.5]], rtol=1e-6)


def test_l1_of_scales_adds_up_the_magnitudes_of_all_gammas():
    def build():
        variable('a/gamma', [1, -2])
        variable('b/gamma', [0.5])
        variable('b/gamma/Momentum', [7], trainable=False)
        variable('a/kernel', [[9]])
        with tf.variable_scope('', partitioner=tf.fixed_size_partitioner(2)):
            tf.get_variable('c/gamma', [2], initializer=tf.initializers.ones())
        return regularizers.l1_of_scales(0.1) + 0.0 * tf.add_n(
            [tf.reduce_sum(v) for v in tf.trainable_variables()]
        )

    value, gradients = value_and_gradients(build)

    assert value == pytest.approx(0.55)
    np.testing.assert_allclose(gradients['a/gamma'], [0.1, -0.1])
    np.testing.assert_allclose(gradients['a/kernel'], [[0]])


def penalty_at(step, **options):
    with tf.Graph().as_default(), tf.Session() as session:
        hooked.build()
        loss = regularizers.growing_penalty(hooked.plan(**options), 0.1, 10, 0.35)
        session.run(tf.global_variables_initializer())
        tf.train.get_global_step().load(step, session)
        return session.run(loss)


# a/kernel: 6 planned weights of 0.5; a/bias: 2 of 0.25; b/kernel: 4 of 1/6.
PLANNED = 6 * 0.5**2 + 2 * 0.25**2 + 4 / 36


@pytest.mark.parametrize(
    ('step', 'factor'), [(0, 0.1), (9, 0.1), (10, 0.2), (29, 0.3), (30, 0.35)]
)
def test_the_penalty_of_planned_channels_grows(step, factor):
    assert penalty_at(step) == pytest.approx(0.5 * factor * PLANNED, rel=1e-5)


def test_the_penalty_looks_at_what_the_mode_zeroes():
    assert penalty_at(0, mode='filter') == pytest.approx(0.05 * 6 * 0.5**2)


def test_the_penalty_pulls_at_planned_channels_only():
    def build():
        tf.train.get_or_create_global_step()
        with tf.variable_scope('', partitioner=tf.fixed_size_partitioner(2)):
            for name, shape in hooked.SHAPES.items():
                tf.get_variable(name, shape, initializer=tf.initializers.ones())
        return regularizers.growing_penalty(hooked.plan(), 1.0, 1, 1.0)

    _, gradients = value_and_gradients(build)

    np.testing.assert_array_equal(gradients['a/kernel/part_0'], [[0, 1, 1, 0]] * 2)
    np.testing.assert_array_equal(gradients['a/kernel/part_1'], [[0, 1, 1, 0]])
    np.testing.assert_array_equal(gradients['a/bias/part_0'], [0, 1])
    np.testing.assert_array_equal(gradients['a/bias/part_1'], [1, 0])
    np.testing.assert_array_equal(gradients['b/kernel/part_1'], [[1, 1], [0, 0]])


def test_where_cuts_cross_a_weight_counts_once():
    rows = Group('in', 'plain', np.arange(3), (place('a/kernel', 0, 3),), ())
    columns = Group('a', 'plain', np.arange(4), (place('a/kernel', 1, 4),), ())
    groups = (plan_group(rows, [0], 1), plan_group(columns, [1, 2], 2))
    plan = dataclasses.replace(hooked.plan(), groups=groups)
    with tf.Graph().as_default(), tf.Session() as session:
        hooked.build()
        loss = regularizers.growing_penalty(plan, 1.0, 1, 1.0)
        session.run(tf.global_variables_initializer())
        found = session.run(loss)

    # A row of 4 and two columns of 3 weights of 0.5 cross at 2.
    assert found == pytest.approx(0.5 * (4 + 6 - 2) * 0.5**2)


def place(variable, axis, size):
    return Place(variable, axis, size, 'producer', np.arange(size)[:, None])


def test_bad_numbers_and_empty_sets_are_refused():
    with tf.Graph().as_default():
        with pytest.raises(GraphError, match='no scales'):
            regularizers.l1_of_scales(0.1)
        with pytest.raises(GraphError, match='no kernels'):
            regularizers.group_lasso([], 0.1)
        with pytest.raises(OptionError, match='factor is -1'):
            regularizers.group_lasso([variable('k', [[1]])], -1)
        with pytest.raises(OptionError, match='ceiling 0'):
            regularizers.growing_penalty(hooked.plan(), 0.2, 1, 0.1)
        with pytest.raises(WorkflowError, match='global step'):
            regularizers.growing_penalty(hooked.plan(), 0.1, 1, 0.1)


def test_a_penalty_for_another_graph_is_refused():
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        with pytest.raises(PlanError, match="lacks the variables 'a/bias'"):
            regularizers.growing_penalty(hooked.plan(), 0.1, 1, 0.1)
