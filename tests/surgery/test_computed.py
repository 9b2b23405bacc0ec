"""Kernels that are computed from variables are pruned and stripped exactly."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.surgery import nets
from tf1pruning.channels.trace_result import PRODUCER, SCALE, STATISTIC

WIDE = 8
GONE = [0, 2, 3]


def gain(v):
    return tf.get_variable('gain', [v.shape[-1]])


def masked(v):
    return v * tf.get_variable('mask', v.shape, trainable=False)


def normalized(v):
    return gain(v) * tf.nn.l2_normalize(v, [0, 1, 2])


def divided_by_its_norm(v):
    return gain(v) * v / tf.sqrt(tf.reduce_sum(v * v, [0, 1, 2]))


def standardized(v):
    mean, variance = tf.nn.moments(v, [0, 1, 2], keep_dims=True)
    return (v - mean) / tf.sqrt(variance + 1e-5)


def standardized_as_a_matrix(v):
    rows = tf.reshape(v, [-1, v.shape[-1]])
    mean, variance = tf.nn.moments(rows, [0], keep_dims=True)
    return tf.reshape((rows - mean) * tf.rsqrt(variance + 1e-5), v.shape)


def spectral(v):
    rows = tf.reshape(v, [-1, v.shape[-1]])
    u = tf.get_variable('u', [1, v.shape[-1]], trainable=False)
    left = tf.nn.l2_normalize(tf.matmul(u, rows, transpose_b=True))
    return v / tf.matmul(tf.matmul(left, rows), u, transpose_b=True)


def binarized(v):
    return tf.sign(v) * tf.reduce_mean(tf.abs(v), [0, 1, 2])


def joined(v):
    more = tf.get_variable('more', [*v.shape[:2], 2, v.shape[-1]])
    return tf.concat([v[:, :, :-2], more], 2)


def in_another_order(v):
    return tf.transpose(tf.nn.tanh(tf.transpose(v, [3, 0, 1, 2])), [1, 2, 3, 0])


def rounded(v):
    return tf.fake_quant_with_min_max_vars(
        v * gain(v), tf.get_variable('low', []) - 3, tf.get_variable('high', []) + 3
    )


def of_low_rank(v):
    right = tf.get_variable('right', [3, v.shape[-1]])
    rows = tf.reshape(v, [-1, v.shape[-1]])
    return tf.reshape(tf.matmul(rows[:, :3], right), v.shape)


COMPUTED = (
    masked,
    normalized,
    divided_by_its_norm,
    standardized,
    standardized_as_a_matrix,
    spectral,
    binarized,
    joined,
    in_another_order,
    rounded,
)
# The others lose what a statistic over all inputs takes into account.
STAYS_COMPUTED = frozenset(
    (
        masked,
        normalized,
        divided_by_its_norm,
        spectral,
        joined,
        in_another_order,
        rounded,
    )
)


def layer(name, filters, compute):
    def build(x):
        with tf.variable_scope(name):
            kernel = tf.get_variable('v', [3, 3, x.shape[-1], filters])
            y = tf.nn.conv2d(x, compute(kernel), 1, 'SAME')
            return tf.nn.relu(y + tf.get_variable('bias', [filters]))

    return build


def net_with(compute):
    return nets.net_of(
        nets.chain(
            layer('a', WIDE, compute), layer('b', WIDE, compute), nets.conv('last', 2)
        )
    )


@pytest.mark.parametrize('compute', COMPUTED)
def test_stripped_gives_the_answers_of_soft_pruned(compute):
    net = net_with(compute)

    outcome = nets.prune_and_strip(net, net.plan({'a': GONE, 'b': GONE}))

    assert outcome.soft_to_stripped <= 1e-5
    assert outcome.unpruned_to_soft > 1e-3
    assert outcome.stripped.kept == ()
    assert outcome.stripped.plan.removed_count == 6


@pytest.mark.parametrize('compute', COMPUTED)
def test_channels_of_one_layer_go_where_it_is_only_read(compute):
    net = net_with(compute)

    outcome = nets.prune_and_strip(net, net.plan({'a': GONE}))

    assert outcome.soft_to_stripped <= 1e-5
    assert outcome.stripped.kept == ()


@pytest.mark.parametrize('compute', COMPUTED)
def test_a_kernel_becomes_a_constant_only_if_its_computation_would_change(compute):
    net = net_with(compute)

    stripped = nets.prune_and_strip(net, net.plan({'a': GONE})).stripped

    computed = [k.source for k in net.trace.kernels if k.source in net.trace.computed]
    expected = () if compute in STAYS_COMPUTED else (computed[-1],)
    assert stripped.fixed == expected
    assert set(stripped.arrays) == {v.node for v in stripped.graph.variables}


def test_filters_that_a_mask_zeroes_are_found_without_a_plan():
    net = net_with(masked)
    net.arrays['a/mask'][..., GONE] = 0
    net.arrays['a/bias'][GONE] = 0

    stripped = net.strip()

    assert stripped.plan.widths()['a'] == WIDE - 3
    assert stripped.arrays['a/mask'].shape == (3, 3, 3, WIDE - 3)
    assert nets.difference(net, stripped) <= 1e-6


def test_a_variable_whose_zeros_would_divide_by_zero_is_never_zeroed():
    net = net_with(divided_by_its_norm)
    plan = net.plan({'a': GONE})

    roles = {(c.variable, c.axis): c.role for c in plan.cuts}
    pruned = net.soft_pruned(plan)

    assert roles['a/v', 3] == STATISTIC
    assert roles['a/gain', 0] == SCALE
    assert np.all(pruned.arrays['a/v'] == net.arrays['a/v'])
    assert np.all(pruned.arrays['a/gain'][GONE] == 0)


def test_filters_are_zeroed_where_they_are_kept_and_no_mask_is():
    plan = net_with(masked).plan({'a': GONE})

    roles = {(c.variable, c.axis): c.role for c in plan.cuts}

    assert roles['a/v', 3] == PRODUCER
    assert roles['a/mask', 3] == STATISTIC


def test_inputs_are_not_zeroed_where_that_would_shift_a_mean():
    net = net_with(standardized)

    pruned = net.soft_pruned(net.plan({'a': GONE}))

    assert np.all(pruned.arrays['a/v'][..., GONE] == 0)
    assert np.all(pruned.arrays['b/v'] == net.arrays['b/v'])


def test_what_no_zeros_silence_on_either_side_stays_whole():
    net = net_with(lambda v: tf.exp(v))

    assert net.group('a').reasons == (
        "zeros in variables make neither the kernel of 'a/Conv2D' nor that of "
        "'b/Conv2D' zero",
    )


def test_an_axis_that_is_not_followed_loses_nothing_else():
    net = net_with(of_low_rank)

    outcome = nets.prune_and_strip(net, net.plan({'a': GONE}))

    assert outcome.soft_to_stripped <= 1e-5
    assert outcome.stripped.plan.widths() == {'a': WIDE - 3}


def test_a_number_that_is_made_of_a_kernel_keeps_its_value():
    def scaled(x):
        v = tf.get_variable('a/v', [1, 1, 3, WIDE])
        return tf.nn.conv2d(x, v, 1, 'SAME') * tf.reduce_mean(v)

    net = nets.net_of(nets.chain(scaled, nets.conv('last', 2)))

    outcome = nets.prune_and_strip(net, net.plan({'a': GONE}))

    assert outcome.stripped.fixed == ('Mean',)
    assert outcome.soft_to_stripped <= 1e-5


def test_the_kernels_of_16_bit_networks_are_cast_and_followed():
    def half(x):
        kernel = tf.get_variable('a/v', [1, 1, 3, WIDE])
        y = tf.nn.conv2d(tf.cast(x, tf.float16), tf.cast(kernel, tf.float16), 1, 'SAME')
        bias = tf.cast(tf.get_variable('a/bias', [WIDE]), tf.float16)
        return tf.cast(tf.nn.relu(tf.nn.bias_add(y, bias)), tf.float32)

    net = nets.net_of(nets.chain(half, nets.conv('last', 2)))

    outcome = nets.prune_and_strip(net, net.plan({'a': GONE}))

    assert outcome.stripped.fixed == ()
    assert outcome.soft_to_stripped <= 1e-5
