"""Weights and sizes with a second reader, and bounds that count from the end."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import cases
from tf1pruning import plan as plan_lib
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.surgery import verify

WIDTH = 10


def case_of(build):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.nn.relu(networks.conv(x, WIDTH, 3, name='first'))
        tf.identity(build(x), 'output')
        return cases.case_of(graph)


def head(x):
    x = networks.conv(x, 6, name='last')
    return tf.layers.dense(tf.reduce_mean(x, [1, 2]), 5, name='dense')


def plan_of(case, **channels):
    groups = {group.name: group for group in case.groups}
    chosen = [groups[name] for name in channels]
    return plan_lib.Plan(
        fingerprint=plan_lib.fingerprint(chosen, case.model),
        mode=plan_lib.BLOCK,
        channel_multiple=1,
        threshold=None,
        groups=tuple(
            plan_lib.plan_group(group, channels[group.name], group.width)
            for group in chosen
        ),
    )


def assert_same_answers(case, stripped, arrays):
    np.testing.assert_allclose(
        case.outputs(stripped.graph, stripped.arrays),
        case.outputs(case.model, arrays),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    'part', [slice(-3, None), slice(-4, -2), slice(0, -2)], ids=str
)
@pytest.mark.parametrize('removed', [0, 7, 9])
def test_bounds_that_count_from_the_end_follow_the_channels(part, removed):
    def both_parts(x):
        return head(x) + tf.layers.dense(tf.reduce_mean(x[..., part], [1, 2]), 5)

    case = case_of(both_parts)
    reads = set(range(WIDTH)[part])
    groups = {g.name: g.width for g in case.groups if not g.frozen}
    name = 'first' if (removed in reads) == (min(reads) == 0) else 'first#2'
    group = next(g for g in case.groups if g.name == name)
    index = group.producer.positions.ravel().tolist().index(removed)
    plan = plan_of(case, **{name: [index]})
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    assert sum(groups[n] for n in ('first', 'first#2')) == WIDTH
    assert stripped.plan.removed_count == 1
    assert_same_answers(case, stripped, arrays)


def test_a_constant_that_is_also_read_as_numbers_stays():
    def build(x):
        scale = tf.constant(np.arange(1.0, WIDTH + 1), tf.float32, name='scale')
        return head(x * scale) * tf.reduce_sum(scale)

    case = case_of(build)

    (group,) = [g for g in case.groups if g.name == 'first']
    assert group.reasons == (
        "constant 'scale' reaches 'Sum': a reduction over channels",
    )


def test_a_weight_of_whole_numbers_of_which_one_is_used_alone_stays():
    def build(x):
        numbers = tf.constant(list(range(WIDTH)), name='numbers')
        x = tf.cast(tf.cast(x, tf.int32) * numbers, tf.float32)
        return head(x) * tf.cast(numbers[3], tf.float32)

    case = case_of(build)

    (group,) = [g for g in case.groups if g.name == 'first']
    assert group.reasons == (
        "constant 'numbers' is read as numbers by 'strided_slice'",
    )


def test_nothing_is_folded_into_a_bias_with_another_reader():
    def build(x):
        x = networks.conv(x, 6, 1, name='last')
        bias = tf.get_default_graph().get_tensor_by_name('last/bias:0')
        x = x + tf.tanh(bias)
        return tf.layers.dense(tf.reduce_mean(x, [1, 2]), 5, name='dense')

    case = case_of(build)
    arrays = {name: array.copy() for name, array in case.arrays.items()}
    arrays['first/kernel'][..., 2] = 0
    arrays['first/bias'][2] = 1.5

    stripped = case.strip(arrays)

    np.testing.assert_allclose(stripped.arrays['last/bias'], arrays['last/bias'])
    assert_same_answers(case, stripped, arrays)


def test_a_matrix_of_sizes_freezes_what_it_counts():
    def build(x):
        pairs = tf.reshape(tf.concat([tf.shape(x), tf.shape(x)], 0), [2, 4])
        return head(x) * tf.cast(pairs[1, 3], tf.float32)

    case = case_of(build)

    (group,) = [g for g in case.groups if g.name == 'first']
    assert group.frozen


def test_a_negative_multiple_of_a_size_freezes_what_it_counts():
    case = case_of(lambda x: head(x) * tf.cast(tf.shape(x)[3] * -1, tf.float32))

    (group,) = [g for g in case.groups if g.name == 'first']
    assert group.frozen


def test_squeezed_axes_stay_the_same_when_one_channel_is_left():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [4, 8, 8, 3], 'input')
        x = tf.nn.relu(networks.conv(x, 6, 3, name='first'))
        x = tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True))
        tf.identity(tf.layers.dense(x, 5, name='dense'), 'output')
        case = cases.case_of(graph)
    plan = plan_of(case, first=range(1, 6))
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    images = np.random.RandomState(0).standard_normal([4, 8, 8, 3])
    found, expected = (
        verify.run(freeze(m, a), ['output'], {'input': images})[0]
        for m, a in ((stripped.graph, stripped.arrays), (case.model, arrays))
    )
    assert stripped.arrays['first/kernel'].shape == (3, 3, 3, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
