from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.surgery import nets
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import PlanError
from tf1pruning.surgery import failure
from tf1pruning.surgery.failure import Count


def pruned_net(planned, mode='block', graph=None):
    """Plan and soft-pruned arrays of conv `a` -> batch norm `a_bn` -> conv `b`."""
    net = nets.net_of(graph or nets.two_convs())
    plan = net.plan(planned, mode)
    return plan, net.soft_pruned(plan).arrays


def count(plan, arrays):
    return failure.count_failures(ArraysInMemory(arrays), plan)


def test_zeros_that_stayed_zero_are_no_failures():
    plan, arrays = pruned_net({'a': [1, 4, 6]})

    report = count(plan, arrays)

    # Kernel, gamma, beta, and the kernel that reads them; not the moving statistics.
    assert report.variables == {
        ('a/kernel', 3): Count(3, 0),
        ('a_bn/gamma', 0): Count(3, 0),
        ('a_bn/beta', 0): Count(3, 0),
        ('b/kernel', 2): Count(3, 0),
    }
    assert report.total == Count(12, 0)
    assert report.total.rate == 0.0


@pytest.mark.parametrize(
    ('variable', 'index'),
    [
        ('a/kernel', (0, 0, 2, 4)),
        ('a_bn/gamma', (4,)),
        ('a_bn/beta', (4,)),
        ('b/kernel', (0, 0, 4, 0)),
    ],
)
@pytest.mark.parametrize('value', [1e-30, -1e-30])
def test_one_weight_that_woke_up_is_one_failure(variable, index, value):
    plan, arrays = pruned_net({'a': [1, 4, 6]})
    arrays[variable][index] = value

    report = count(plan, arrays)

    assert report.total == Count(12, 1)
    assert report.total.rate == pytest.approx(1 / 12)
    failed = [key[0] for key, found in report.variables.items() if found.failed]
    assert failed == [variable]


def test_a_whole_filter_that_woke_up_counts_once_per_place():
    plan, arrays = pruned_net({'a': [1, 4, 6]})
    arrays['a/kernel'][..., 4] = 1.0

    assert count(plan, arrays).variables['a/kernel', 3] == Count(3, 1)


def test_weights_that_were_not_planned_do_not_count():
    plan, arrays = pruned_net({'a': [1]})
    arrays['a/kernel'][..., 2] = 5.0
    arrays['a_bn/moving_mean'][1] = 5.0

    assert count(plan, arrays).total == Count(4, 0)


def test_filter_mode_counts_kernels_only():
    plan, arrays = pruned_net({'a': [1, 4]}, mode='filter')

    assert count(plan, arrays).variables == {('a/kernel', 3): Count(2, 0)}


def test_counts_are_per_group_too():
    graph = nets.chain(nets.conv('a', 4), nets.conv('b', 4), nets.conv('c', 2))
    plan, arrays = pruned_net({'a': [0], 'b': [1, 2]}, graph=graph)
    arrays['b/bias'][2] = 1.0

    report = count(plan, arrays)

    # b/kernel is read by group a and made by group b: once for each.
    assert report.groups == {'a': Count(3, 0), 'b': Count(6, 1)}
    assert report.variables['b/kernel', 2] == Count(1, 0)
    assert report.variables['b/kernel', 3] == Count(2, 0)
    assert report.total == Count(9, 1)


@pytest.mark.parametrize('planned', [{}, {'a': []}])
def test_nothing_planned_gives_a_rate_of_zero(planned):
    plan, arrays = pruned_net(planned)

    report = count(plan, arrays)

    assert report.total == Count(0, 0)
    assert report.total.rate == 0.0


def test_a_flattened_channel_counts_once():
    graph = nets.chain(
        nets.conv('a', 4), tf.layers.flatten, lambda x: tf.layers.dense(x, 2, name='fc')
    )
    plan, arrays = pruned_net({'a': [1, 2]}, graph=graph)
    # Two of the 36 rows that read channel 1.
    arrays['fc/kernel'][[1, 5], 0] = 1.0

    report = count(plan, arrays)

    assert report.variables['fc/kernel', 0] == Count(2, 1)
    assert report.total == Count(6, 1)


def test_a_stripped_checkpoint_is_refused():
    plan, arrays = pruned_net({'a': [7]})
    arrays['a/kernel'] = np.delete(arrays['a/kernel'], 7, 3)

    with pytest.raises(PlanError, match=r"axis 3 of 'a/kernel' .*expects 8.*stripped"):
        count(plan, arrays)
