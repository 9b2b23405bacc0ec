"""What goes beyond what is exact, only where the user insists, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.surgery import nets
from tf1pruning.errors import OptionError
from tf1pruning.surgery import choice
from tf1pruning.surgery import feeds as feeds_lib
from tf1pruning.surgery.choice import Verdict

LIVE = "not zero: 'b/Conv2D' still reads it"
BORDER = "constant, but 'b/Conv2D' pads its border with zeros (SAME)"


def almost_zero(*channels, size=1e-4):
    """conv `a` -> batch norm -> relu -> conv `b`, some filters of `a` almost zero."""
    net = nets.net_of(nets.two_convs())
    for name in ('a/kernel', 'a_bn/beta'):
        array = net.arrays[name]
        array[..., list(channels)] *= size * np.abs(array).max()
    net.arrays['a_bn/moving_mean'][list(channels)] = 0
    return net


def test_almost_zero_filters_stay_without_a_tolerance():
    stripped = almost_zero(1, 4).strip()

    assert (stripped.plan.removed_count, stripped.kept, stripped.lossy) == (0, (), ())


def test_almost_zero_filters_go_with_a_tolerance():
    net = almost_zero(1, 4)

    stripped = net.strip(tolerance=1e-3)

    assert stripped.plan.groups[0].removed == (1, 4)
    assert stripped.lossy == (Verdict('a', (1, 4), LIVE),)
    assert 0 < nets.difference(net, stripped) < 1e-2


def test_the_filters_that_stay_keep_their_small_weights():
    net = almost_zero(1)
    net.arrays['a/kernel'][0, 0, 0, 0] = 1e-9

    stripped = net.strip(tolerance=1e-3)

    assert stripped.arrays['a/kernel'][0, 0, 0, 0] == np.float32(1e-9)


def test_a_vector_takes_up_what_is_constant_as_it_is_and_with_a_tolerance():
    net = nets.net_of(nets.two_convs(tf.identity))
    net.arrays['a/kernel'][..., 0] = 0
    net.arrays['a/kernel'][..., 1] *= 1e-9
    net.arrays['a_bn/moving_mean'][:] = 0
    net.arrays['a_bn/beta'][:2] = [2, 3]
    net.arrays['b/bias'][:] = 0.5
    net.arrays['b/kernel'][:] = 1
    # Would count as zero, but channel 0 is constant as it is.
    net.arrays['b/kernel'][:, :, 0] = 0.1

    stripped = net.strip(net.plan({'a': [0, 1]}), tolerance=0.2)

    assert stripped.plan.groups[0].removed == (0, 1)
    np.testing.assert_allclose(stripped.arrays['b/bias'], [0.5 + 0.1 * 2 + 3] * 3)


def test_zero_filters_are_not_called_lossy_with_a_tolerance():
    net = nets.net_of(nets.two_convs(tf.sigmoid))
    net.arrays['a/kernel'][..., 3] = 0
    # Would count as zero, but is folded as it is.
    net.arrays['a_bn/beta'][3] = 1e-6

    stripped = net.strip(tolerance=1e-3)

    assert (stripped.plan.groups[0].removed, stripped.lossy) == ((3,), ())
    assert nets.difference(net, stripped) <= 1e-6


def test_almost_zero_filters_of_a_constant_go_with_a_tolerance():
    kernel = np.ones([1, 1, 3, 4], np.float32)
    kernel[..., 3] = 1e-6
    net = nets.net_of(
        nets.chain(lambda x: tf.nn.conv2d(x, kernel, 1, 'SAME'), nets.conv('b', 3))
    )

    assert net.strip(tolerance=1e-3).plan.groups[0].removed == (3,)


def test_planned_filters_that_came_back_go_only_if_allowed():
    net = nets.net_of(nets.two_convs())
    plan = net.plan({'a': [2, 6]})
    woken = net.soft_pruned(plan)
    woken.arrays['a/kernel'][..., 2] = 0.01
    woken.arrays['b/kernel'][:, :, 2] = 0.01
    woken.arrays['a_bn/gamma'][2] = 1

    careful = woken.strip(plan)
    lossy = woken.strip(plan, allow_lossy=True)

    assert careful.plan.groups[0].removed == (6,)
    assert (careful.kept, careful.lossy) == ((Verdict('a', (2,), LIVE),), ())
    assert lossy.plan.groups[0].removed == (2, 6)
    assert (lossy.kept, lossy.lossy) == ((), (Verdict('a', (2,), LIVE),))
    assert 0 < nets.difference(woken, lossy) < 0.1


def bordered():
    """Zero filters with a constant that is not zero, read by a SAME convolution."""
    graph = nets.two_convs(tf.sigmoid, nets.conv('b', 3, 3))
    net = nets.net_of(graph)
    net.arrays['a/kernel'][..., [0, 5]] = 0
    return net


def test_zero_filters_before_a_padded_border_are_reported_without_a_plan():
    net = bordered()

    stripped = net.strip()

    assert stripped.plan.removed_count == 0
    assert stripped.kept == (Verdict('a', (0, 5), BORDER),)


def test_a_lossy_cut_before_a_padded_border_is_right_inside():
    net = bordered()
    plan = net.plan({'a': [0, 5]}, mode='filter')

    stripped = net.strip(plan, allow_lossy=True)

    assert stripped.lossy == (Verdict('a', (0, 5), BORDER),)
    difference = np.abs(output(net.model, net.arrays) - output_of(stripped))
    assert difference[:, 1:-1, 1:-1].max() <= 1e-5
    assert difference.max() > 1e-2


def output_of(stripped):
    return output(stripped.graph, stripped.arrays)


def output(model, arrays):
    frozen = nets.freeze.freeze(model, arrays)
    feeds = feeds_lib.random_inputs(frozen, seed=0)
    return nets.verify.run(frozen, model.outputs, feeds)[0]


def test_what_costs_nothing_goes_before_what_is_lossy():
    net = almost_zero(0, 1, 2)
    net.arrays['b/kernel'][:, :, [4, 7]] = 0

    stripped = net.strip(tolerance=1e-3, multiple=4)

    # Five may go, and 8 - 4 of them leave a multiple of 4.
    assert stripped.plan.groups[0].removed == (0, 1, 4, 7)
    assert [verdict.channels for verdict in stripped.lossy] == [(0, 1)]
    assert [verdict.channels for verdict in stripped.kept] == [(2,)]


def test_lossy_removal_needs_a_plan():
    with pytest.raises(OptionError, match='needs a plan'):
        nets.net_of(nets.two_convs()).strip(allow_lossy=True)


@pytest.mark.parametrize('tolerance', [-0.1, 1.0, float('nan')])
def test_a_tolerance_outside_its_range_is_an_error(tolerance):
    with pytest.raises(OptionError, match='from 0 to below 1'):
        choice.RemovalOptions(tolerance=tolerance)
