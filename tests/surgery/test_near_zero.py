from __future__ import annotations

import numpy as np

from tests.surgery import nets
from tf1pruning.surgery import near_zero


def test_weights_up_to_the_share_of_the_largest_of_their_layer_become_zero():
    net = nets.net_of(nets.two_convs(width=4))
    net.arrays['a/kernel'][0, 0, 0] = [10, -1, 1.01, 0]

    found = near_zero.flushed(net.trace, net.arrays, 0.1)

    assert found['a/kernel'][0, 0, 0].tolist() == np.float32([10, 0, 1.01, 0]).tolist()
    assert net.arrays['a/kernel'][0, 0, 0, 1] == -1


def test_statistics_stay():
    net = nets.net_of(nets.two_convs(width=4))
    statistics = [name for name in net.arrays if 'moving' in name]
    for name in statistics:
        net.arrays[name][:] = [1, 1e-9, 1, 1e-9]

    found = near_zero.flushed(net.trace, net.arrays, 0.5)

    assert len(statistics) == 2
    for name in statistics:
        assert found[name].tolist() == net.arrays[name].tolist()


def test_no_tolerance_changes_nothing():
    net = nets.net_of(nets.two_convs())

    found = near_zero.flushed(net.trace, net.arrays, 0.0)

    assert all((found[name] == net.arrays[name]).all() for name in net.arrays)
