"""Constant channels: where they fold, and where they have to stay."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.channels.trace import trace
from tf1pruning.surgery import computed, fold, safety
from tf1pruning.surgery.fold import FoldTarget

ACTIVATIONS = {
    'relu': tf.nn.relu,
    'relu6': tf.nn.relu6,
    'swish': lambda x: x * tf.sigmoid(x),
    'sigmoid': tf.sigmoid,
    'none': tf.identity,
}
BEHIND = {
    'bias': [nets.conv('b', 3)],
    'batch norm': [nets.conv('b', 3, use_bias=False), nets.batch_norm('b_bn')],
}
PLANNED = {'a': [0, 1, 2, 5]}
WIDE = 12


def filter_pruned(*reader, activation='sigmoid'):
    """Plan in filter mode for conv `a` -> batch norm -> activation -> reader."""
    net = nets.net_of(nets.two_convs(ACTIVATIONS[activation], *reader, width=WIDE))
    # No constant is 0 by chance: a relu would make it so.
    net.arrays['a_bn/beta'] = np.linspace(0.3, 1.5, WIDE).astype(np.float32)
    net.arrays['a_bn/moving_mean'] = np.linspace(-0.4, -0.1, WIDE).astype(np.float32)
    net.arrays['a_bn/gamma'] = np.linspace(0.5, 1.0, WIDE).astype(np.float32)
    return net, net.plan(PLANNED, mode='filter')


@pytest.mark.parametrize('behind', BEHIND)
@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_a_constant_folds_into_what_follows(activation, behind):
    net, plan = filter_pruned(*BEHIND[behind], activation=activation)

    outcome = nets.prune_and_strip(net, plan)

    assert outcome.soft_to_stripped <= 1e-5
    assert outcome.unpruned_to_soft > 1e-3
    assert outcome.stripped.plan.widths() == {'a': 8}
    assert outcome.stripped.kept == ()


@pytest.mark.parametrize(
    ('behind', 'changed'), [('bias', 'b/bias'), ('batch norm', 'b_bn/moving_mean')]
)
def test_only_the_vector_behind_the_layer_takes_the_constant_up(behind, changed):
    net, plan = filter_pruned(*BEHIND[behind])

    stripped = net.soft_pruned(plan).strip(plan)

    vectors = [name for name in net.arrays if name.startswith(('b/bias', 'b_bn/'))]
    assert [
        name
        for name in vectors
        if not np.array_equal(stripped.arrays[name], net.arrays[name])
    ] == [changed]
    assert stripped.folded == (changed,)


def test_nothing_takes_a_constant_up_where_whole_channels_are_zero():
    net, _ = filter_pruned(*BEHIND['batch norm'])
    plan = net.plan(PLANNED)

    stripped = net.soft_pruned(plan).strip(plan)

    assert stripped.plan.widths() == {'a': 8}
    assert stripped.folded == ()


def test_the_folded_bias_has_the_expected_value():
    net, plan = filter_pruned(nets.conv('b', 1), activation='none')
    net.arrays['a_bn/moving_mean'][:] = 0
    net.arrays['b/bias'][:] = 0.5
    net.arrays['b/kernel'][:] = 2.0
    net.arrays['a_bn/beta'][:] = [1, 2, 3, 0, 0, 4, 0, 0, 0, 0, 0, 0]

    stripped = net.soft_pruned(plan).strip(plan)

    # 0.5 + 2 * (1 + 2 + 3 + 4)
    np.testing.assert_allclose(stripped.arrays['b/bias'], [20.5])


@pytest.mark.parametrize('padding', ['valid', 'same'])
def test_a_padded_border_keeps_a_constant_that_is_not_zero(padding):
    def reader(x):
        return tf.layers.conv2d(x, 3, 3, padding=padding, name='b')

    net, plan = filter_pruned(reader)

    outcome = nets.prune_and_strip(net, plan)

    kept = [(found.channels, found.reason) for found in outcome.stripped.kept]
    reason = "constant, but 'b/Conv2D' pads its border with zeros (SAME)"
    assert kept == ([] if padding == 'valid' else [((0, 1, 2, 5), reason)])
    assert outcome.stripped.plan.widths() == {'a': 8 if padding == 'valid' else WIDE}
    assert outcome.soft_to_stripped <= 1e-5


def test_a_constant_zero_passes_a_padded_border():
    net, plan = filter_pruned(nets.conv('b', 3, 3), activation='relu')
    net.arrays['a_bn/beta'][:] = -5

    outcome = nets.prune_and_strip(net, plan)

    assert outcome.stripped.plan.widths() == {'a': 8}
    assert outcome.soft_to_stripped <= 1e-5


@pytest.mark.parametrize(
    'reader',
    [
        [nets.conv('b', 3, use_bias=False), tf.nn.relu],
        [nets.conv('b', 3, use_bias=False)],
        [nets.conv('b', 3, use_bias=False), lambda x: tf.nn.bias_add(x + x, [1.0] * 3)],
    ],
    ids=['activation', 'output', 'doubled'],
)
def test_without_a_vector_of_its_own_behind_the_layer_a_constant_stays(reader):
    net, plan = filter_pruned(*reader)

    outcome = nets.prune_and_strip(net, plan)

    (kept,) = outcome.stripped.kept
    assert kept.channels == (0, 1, 2, 5)
    assert kept.reason == (
        "constant, but no bias or batch norm of its own follows 'b/Conv2D'"
    )
    assert outcome.stripped.plan.removed_count == 0
    assert outcome.soft_to_stripped == 0


def test_kept_constants_leave_the_width_a_multiple():
    net, _ = filter_pruned(nets.conv('b', 3, 3))
    plan = net.plan({'a': [0, 1, 2, 5]}, mode='filter', multiple=4)
    pruned = net.soft_pruned(plan)
    pruned.arrays['b/kernel'][:, :, [0, 1, 2]] = 0

    stripped = pruned.strip(plan)

    # Only 5 of the planned ones is not safe; 12 - 3 is rounded up to 12.
    assert [kept.channels for kept in stripped.kept] == [(5,), (0, 1, 2)]
    assert stripped.plan.widths() == {'a': WIDE}


def test_a_branch_that_pads_keeps_what_another_could_fold():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        x = tf.sigmoid(nets.batch_norm('a_bn')(nets.conv('a', 8, use_bias=False)(x)))
        tf.add(nets.conv('b', 3)(x), nets.conv('c', 3, 3)(x), name='output')
    net = nets.net_of(graph)

    outcome = nets.prune_and_strip(net, net.plan({'a': [0, 1]}, mode='filter'))

    (kept,) = outcome.stripped.kept
    assert kept.reason == "constant, but 'c/Conv2D' pads its border with zeros (SAME)"
    assert outcome.soft_to_stripped == 0


def test_weights_that_cancel_are_not_taken_for_zeros():
    net, plan = filter_pruned(nets.conv('b', 3, 3))
    pruned = net.soft_pruned(plan)
    # A filter that sums to 0 but reacts to its input.
    pruned.arrays['a/kernel'][0, 0, :, 1] = [1, -1, 0]

    stripped = pruned.strip(plan)

    reasons = {c: kept.reason for kept in stripped.kept for c in kept.channels}
    assert reasons[1] == "not zero: 'b/Conv2D' still reads it"


def test_a_dead_gate_makes_its_product_zero():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        y = nets.conv('a', 4)(x)
        gate = tf.nn.relu(nets.conv('gate', 4)(tf.reduce_mean(x, [1, 2], True)))
        tf.identity(nets.conv('b', 3, 3)(y * gate), name='output')
    net = nets.net_of(graph)
    net.arrays['gate/kernel'][..., 2] = 0
    net.arrays['gate/bias'][2] = -1

    stripped = net.strip()

    assert stripped.plan.groups[0].removed == (2,)
    assert nets.difference(net, stripped) <= 1e-5


def test_fold_targets_are_bias_and_moving_mean():
    graph = nets.chain(
        nets.conv('a', 4),
        nets.conv('b', 4, use_bias=False),
        nets.batch_norm('b_bn'),
        nets.conv('c', 4, use_bias=False),
        tf.nn.relu,
    )

    assert fold.find_fold_targets(nets.net_of(graph).trace) == {
        'a/Conv2D': FoldTarget('a/bias', 1),
        'b/Conv2D': FoldTarget('b_bn/moving_mean', -1),
    }


def test_a_bias_that_two_layers_share_takes_nothing_up():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        bias = tf.get_variable('bias', [3])
        parts = [tf.nn.bias_add(nets.conv(n, 3, use_bias=False)(x), bias) for n in 'ab']
        tf.add(*parts, name='output')

    assert fold.find_fold_targets(nets.net_of(graph).trace) == {}


def test_a_bias_that_is_an_output_takes_nothing_up():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        tf.identity(nets.conv('a', 2)(x), name='output')
    model = networks.model_of(graph, ('output', 'a/bias/read'))

    assert fold.find_fold_targets(trace(model)) == {}


def test_a_convolution_that_is_read_before_its_bias_takes_nothing_up():
    def reader(x):
        y = nets.conv('b', 3, use_bias=False)(x)
        return tf.nn.bias_add(y, tf.get_variable('bias', [3])) + tf.tanh(y)

    assert fold.find_fold_targets(nets.net_of(nets.chain(reader)).trace) == {}


def test_a_convolution_that_is_an_output_takes_nothing_up():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        kernel = tf.get_variable('w', [1, 1, 3, 2])
        y = tf.nn.conv2d(x, kernel, 1, 'SAME', name='output')
        tf.nn.bias_add(y, tf.get_variable('bias', [2]), name='biased')
    model = networks.model_of(graph, ('output', 'biased'))

    assert fold.find_fold_targets(trace(model)) == {}


def reader_of(change):
    """A layer `b` that reads constants with a kernel that is computed."""

    def reader(x):
        kernel = change(tf.get_variable('w', [1, 1, WIDE, 3]))
        y = tf.nn.conv2d(tf.cast(x, kernel.dtype), kernel, 1, 'VALID', name='b')
        return tf.nn.bias_add(tf.cast(y, tf.float32), tf.get_variable('bias', [3]))

    return reader


def test_a_kernel_that_is_computed_folds_what_it_is():
    net, plan = filter_pruned(reader_of(lambda kernel: 2.0 * kernel))

    outcome = nets.prune_and_strip(net, plan)

    assert outcome.stripped.kept == ()
    assert outcome.soft_to_stripped <= 1e-6


def test_a_kernel_that_is_rounded_folds_nothing():
    net, plan = filter_pruned(reader_of(lambda kernel: tf.cast(kernel, tf.float16)))

    arrays = net.soft_pruned(plan).arrays
    found = safety.find_safety(
        net.trace, {**arrays, **computed.values(net.trace, arrays)}
    )

    (kernel,) = [each for each in net.trace.kernels if each.node == 'b']
    assert kernel.rounds
    assert found.folds == ()


def test_a_constant_that_a_grouped_convolution_reads_stays():
    def reader(x):
        kernel = tf.get_variable('w', [1, 1, WIDE // 2, 4])
        y = tf.nn.conv2d(x, kernel, 1, 'VALID', name='b')
        return tf.nn.bias_add(y, tf.get_variable('bias', [4]))

    net, _ = filter_pruned(reader)
    net.arrays['a/kernel'][..., [0, 6]] = 0

    found = safety.find_safety(net.trace, net.arrays)

    # Channels 0 and 6 are read by the first position of the kernel.
    reasons = {found.obstacles[int(c)] for c in net.group('a').channels}
    assert reasons == {"not zero: 'b' still reads it"}
    assert found.folds == ()


def test_frozen_channels_are_not_safe():
    net = nets.net_of(nets.two_convs())
    net.arrays['b/kernel'][:] = 0

    found = safety.find_safety(net.trace, net.arrays)

    reasons = [found.obstacles[c] for c in net.group('b').channels.tolist()]
    assert reasons == ['is a model output'] * 3


def test_live_channels_are_not_safe():
    net = nets.net_of(nets.two_convs())
    found = safety.find_safety(net.trace, net.arrays)

    verdicts = [int(c) not in found.obstacles for c in net.group('a').channels]

    assert verdicts == [False] * 8
    assert found.folds == ()


def test_a_constant_that_a_sum_over_channels_adds_up_stays():
    def reader(x):
        return tf.reduce_sum(x, 3, keepdims=True, name='total')

    net, plan = filter_pruned(reader)

    outcome = nets.prune_and_strip(net, plan)

    assert outcome.stripped.plan.removed_count == 0
    (kept,) = outcome.stripped.kept
    assert kept.channels == (0, 1, 2, 5)
    assert kept.reason == "not zero: 'total' sums it up"


def test_a_channel_of_a_product_goes_if_one_factor_is_zero():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        queries, keys = (
            tf.reshape(tf.layers.conv2d(x, 5, 1, name=name), [-1, 64, 5])
            for name in ('queries', 'keys')
        )
        product = tf.matmul(queries, keys, transpose_b=True, name='product')
        tf.identity(product, name='output')
    net = nets.net_of(graph)
    net.arrays['queries/kernel'][..., [1, 3]] = 0
    net.arrays['queries/bias'][1] = 0
    net.arrays['keys/kernel'][..., 2] = net.arrays['keys/bias'][2] = 0

    found = safety.find_safety(net.trace, net.arrays)

    channels = net.group('queries').channels.tolist()
    assert [c in found.obstacles for c in channels] == [True, False, False, True, True]
    assert found.obstacles[channels[0]] == "not zero: 'product' sums it up"
