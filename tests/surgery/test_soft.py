from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import PlanError
from tf1pruning.plan import Cut
from tf1pruning.surgery import soft

EXPAND = 'net/expanded_conv_1/expand'
DEPTHWISE = 'net/expanded_conv_1/depthwise'
PROJECT = 'net/expanded_conv_1/project'

PRODUCERS = {f'{EXPAND}/conv/kernel', f'{DEPTHWISE}/weights'}
BLOCK = PRODUCERS | {
    f'{EXPAND}/BatchNorm/gamma',
    f'{EXPAND}/BatchNorm/beta',
    f'{DEPTHWISE}/BatchNorm/gamma',
    f'{DEPTHWISE}/BatchNorm/beta',
    f'{PROJECT}/conv/kernel',
}
SLOTS = {'momentum': ['Momentum'], 'adam': ['Adam', 'Adam_1']}


def changed(before, after):
    return {name for name in before if before[name].tobytes() != after[name].tobytes()}


def soft_prune(graph, planned, mode='block'):
    """Arrays of the whole checkpoint before and after, slots included."""
    net = nets.net_of(graph)
    before = networks.random_arrays(graph)
    pruned = soft.SoftPruned(
        ArraysInMemory(before), net.plan(planned, mode), list(net.arrays)
    )
    return before, dict(pruned)


@pytest.mark.parametrize(
    ('mode', 'expected'), [('block', BLOCK), ('filter', PRODUCERS)]
)
@pytest.mark.parametrize('optimizer', ['momentum', 'adam'])
def test_only_the_weights_of_the_mode_and_their_slots_change(mode, expected, optimizer):
    graph = networks.inverted_residual_net(is_training=True, optimizer=optimizer)

    before, after = soft_prune(graph, {'net/expanded_conv_1': [0, 5]}, mode)

    slots = {f'{name}/{slot}' for name in expected for slot in SLOTS[optimizer]}
    assert changed(before, after) == expected | slots


@pytest.mark.parametrize('optimizer', ['momentum', 'adam'])
def test_zeros_stand_at_the_cuts_and_nowhere_else(optimizer):
    graph = networks.inverted_residual_net(is_training=True, optimizer=optimizer)

    _, after = soft_prune(graph, {'net/expanded_conv_1': [0, 5], 'SE1': [2]})

    for suffix in ['', *(f'/{slot}' for slot in SLOTS[optimizer])]:
        kernel = after[f'{EXPAND}/conv/kernel{suffix}']
        reader = after[f'{PROJECT}/conv/kernel{suffix}']
        assert np.flatnonzero((kernel == 0).all(axis=(0, 1, 2))).tolist() == [0, 5]
        assert np.flatnonzero((reader == 0).all(axis=(0, 1, 3))).tolist() == [0, 5]
        assert np.count_nonzero(kernel == 0) == 2 * networks.STEM
        assert np.flatnonzero(after[f'SE1/reduce/bias{suffix}'] == 0).tolist() == [2]


def test_the_step_and_the_moving_statistics_pass_unchanged():
    graph = networks.inverted_residual_net(is_training=True, optimizer='adam')

    before, after = soft_prune(graph, {'net/expanded_conv_1': [0, 5]})

    for name in (
        'global_step',
        'beta1_power',
        f'{EXPAND}/BatchNorm/moving_mean',
        f'{EXPAND}/BatchNorm/moving_variance',
    ):
        assert after[name].tobytes() == before[name].tobytes()
        assert after[name].dtype == before[name].dtype


def scoped_optimizer_net():
    """conv `a`, conv `b`, and slots such as `train/a/kernel/Momentum`."""
    graph = nets.chain(nets.conv('a', 4), nets.conv('b', 2))
    with graph.as_default(), tf.variable_scope('train'):
        loss = tf.reduce_sum(graph.get_tensor_by_name('output:0'))
        tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    return graph


def test_slots_of_an_optimizer_in_a_scope_are_zeroed():
    before, after = soft_prune(scoped_optimizer_net(), {'a': [1]})

    assert 'train/a/kernel/Momentum' in before
    assert changed(before, after) == {
        f'{scope}{name}{slot}'
        for name in ('a/kernel', 'a/bias', 'b/kernel')
        for scope, slot in (('', ''), ('train/', '/Momentum'))
    }


def test_what_adagrad_divides_by_stays():
    graph = nets.chain(nets.conv('a', 4), nets.conv('b', 2))
    with graph.as_default():
        loss = tf.reduce_sum(graph.get_tensor_by_name('output:0'))
        tf.train.AdagradOptimizer(0.1).minimize(loss)

    before, after = soft_prune(graph, {'a': [1]})

    assert 'a/kernel/Adagrad' in before
    assert changed(before, after) == {'a/kernel', 'a/bias', 'b/kernel'}


def test_moving_averages_of_the_weights_are_zeroed():
    graph = nets.chain(nets.conv('a', 4), nets.conv('b', 2))
    with graph.as_default():
        tf.train.ExponentialMovingAverage(0.9).apply(tf.trainable_variables())

    _, after = soft_prune(graph, {'a': [1]})

    average = after['a/kernel/ExponentialMovingAverage']
    assert np.flatnonzero((average == 0).all(axis=(0, 1, 2))).tolist() == [1]


def test_the_checkpoint_itself_is_not_changed():
    before, after = soft_prune(nets.two_convs(), {'a': [1]})

    np.testing.assert_array_equal(after['a/kernel'][..., 1], 0)
    assert np.count_nonzero(before['a/kernel'][..., 1]) == 3
    assert set(after) == set(before)


def test_a_plan_that_removes_nothing_changes_nothing():
    before, after = soft_prune(nets.two_convs(), {'a': []})

    assert changed(before, after) == set()


def test_every_entry_of_a_flattened_channel_is_zeroed():
    graph = nets.chain(
        nets.conv('a', 4), tf.layers.flatten, lambda x: tf.layers.dense(x, 2, name='fc')
    )

    _, after = soft_prune(graph, {'a': [1]})

    rows = after['fc/kernel'].reshape(6, 6, 4, 2)
    np.testing.assert_array_equal(rows[:, :, 1], 0)
    assert np.count_nonzero(rows) == 6 * 6 * 3 * 2


@pytest.mark.parametrize(
    ('cut', 'message'),
    [
        (Cut('c', 0, 1, 'producer', ((0,),)), "checkpoint lacks: 'c'"),
        (Cut('w', 2, 1, 'producer', ((0,),)), r"axis 2 of 'w' .*\(3, 4\).*expects 1"),
        (Cut('w', 1, 5, 'producer', ((4,),)), r"axis 1 of 'w' .*\(3, 4\).*expects 5"),
        (Cut('w', 1, 3, 'producer', ((0,),)), r"axis 1 of 'w' .*\(3, 4\).*expects 3"),
    ],
)
def test_a_cut_that_does_not_fit_the_checkpoint_is_refused(cut, message):
    with pytest.raises(PlanError, match=message):
        soft.check_cuts((cut,), {'w': (3, 4)})


def test_all_cuts_that_do_not_fit_the_checkpoint_are_named_at_once():
    cuts = (Cut('v', 0, 6, 'producer', ((5,),)), Cut('w', 1, 5, 'producer', ((4,),)))

    with pytest.raises(PlanError, match=r"axis 0 of 'v'.*; axis 1 of 'w'"):
        soft.check_cuts(cuts, {'v': (5,), 'w': (3, 4)})
