from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.report import cost
from tf1pruning.report.cost import Cost, NodeCost

# conv a 3x3 3->8 at 6x6, depthwise 3x3, conv b 1x1 8->4, dense 4->2.
MACS = {
    'a/Conv2D': 36 * 3 * 3 * 3 * 8,
    'depthwise': 36 * 3 * 3 * 8,
    'b/Conv2D': 36 * 8 * 4,
    'fc/MatMul': 4 * 2,
}
PARAMETERS = 3 * 3 * 3 * 8 + 8 + 3 * 3 * 8 + 8 * 4 + 4 + 4 * 2 + 2
# Without 3 of the 8 channels of a.
MACS_OF_5 = {
    'a/Conv2D': 36 * 3 * 3 * 3 * 5,
    'depthwise': 36 * 3 * 3 * 5,
    'b/Conv2D': 36 * 5 * 4,
    'fc/MatMul': 4 * 2,
}
PARAMETERS_OF_5 = 3 * 3 * 3 * 5 + 5 + 3 * 3 * 5 + 5 * 4 + 4 + 4 * 2 + 2


def shapes_of(arrays):
    return {name: array.shape for name, array in arrays.items()}


def layers(x):
    x = networks.conv(x, 8, 3, 'a')
    x = networks.depthwise(x)
    x = networks.conv(x, 4, 1, 'b')
    return tf.layers.dense(tf.reduce_mean(x, [1, 2]), 2, name='fc')


@pytest.fixture
def net():
    return nets.net_of(nets.chain(layers))


def test_macs_are_output_pixels_times_kernel_elements(net):
    assert cost.layer_macs(net.trace, shapes_of(net.arrays)) == MACS


def test_the_cost_of_a_network(net):
    found = cost.measure(net.trace, shapes_of(net.arrays), ('b/Conv2D',))

    assert found == Cost(PARAMETERS, sum(MACS.values()), MACS['b/Conv2D'])


def test_the_cost_after_stripping(net):
    plan = net.plan({'a': [0, 2, 7]})

    stripped = net.soft_pruned(plan).strip(plan)

    shapes = shapes_of(stripped.arrays)
    assert cost.layer_macs(net.trace, shapes) == MACS_OF_5
    assert cost.measure(net.trace, shapes, MACS) == Cost(
        PARAMETERS_OF_5, sum(MACS_OF_5.values()), sum(MACS_OF_5.values())
    )


def test_the_planned_cost_is_the_cost_after_stripping(net):
    plan = net.plan({'a': [0, 2, 7], 'b': [1]})

    stripped = net.soft_pruned(plan).strip(plan)

    planned = cost.planned_shapes(net.trace, plan.cuts)
    assert planned == shapes_of(stripped.arrays)


def test_moving_statistics_are_parameters():
    net = nets.net_of(
        nets.chain(nets.conv('a', 4, use_bias=False), nets.batch_norm('n'))
    )

    found = cost.measure(net.trace, shapes_of(net.arrays), ())

    assert found == Cost(3 * 4 + 4 * 4, 36 * 3 * 4, 0)


def test_nodes_cost_what_they_are_the_first_to_read(net):
    found = cost.node_costs(net.trace, shapes_of(net.arrays))

    assert [(each.node, each.macs, each.parameters) for each in found] == [
        ('a/Conv2D', MACS['a/Conv2D'], 3 * 3 * 3 * 8),
        ('a/BiasAdd', 0, 8),
        ('depthwise', MACS['depthwise'], 3 * 3 * 8),
        ('b/Conv2D', MACS['b/Conv2D'], 8 * 4),
        ('b/BiasAdd', 0, 4),
        ('fc/MatMul', MACS['fc/MatMul'], 4 * 2),
        ('fc/BiasAdd', 0, 2),
    ]


def test_a_kernel_that_two_layers_share_is_counted_once():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        kernel = tf.get_variable('w', [3, 3])
        x = tf.matmul(tf.matmul(x, kernel, name='one'), kernel, name='two')
        tf.identity(x, 'output')
    net = nets.net_of(graph)

    found = cost.node_costs(net.trace, shapes_of(net.arrays))

    assert found == (NodeCost('one', 'MatMul', 9, 9), NodeCost('two', 'MatMul', 9, 0))


def test_a_stride_leaves_fewer_pixels():
    net = nets.net_of(nets.chain(nets.conv('a', 4, 3, strides=2)))

    found = cost.layer_macs(net.trace, shapes_of(net.arrays))

    assert found == {'a/Conv2D': 3 * 3 * 3 * 3 * 3 * 4}


def test_sizes_that_are_not_static_give_no_macs():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None, None, 3], 'input')
        x = tf.reduce_mean(networks.conv(x, 4, name='a'), [1, 2])
        tf.identity(tf.layers.dense(x, 2, name='fc'), name='output')
    net = nets.net_of(graph)
    shapes = shapes_of(net.arrays)

    assert cost.layer_macs(net.trace, shapes) == {'a/Conv2D': None, 'fc/MatMul': 8}
    assert cost.measure(net.trace, shapes, ('fc/MatMul',)) == Cost(26, None, 8)
    assert cost.measure(net.trace, shapes, ('a/Conv2D',)).prunable_macs is None


def test_layers_that_read_parts_of_a_kernel_count_their_parts():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        first, second = tf.split(tf.get_variable('w', [3, 8]), [2, 6], 1)
        x = tf.concat([tf.matmul(x, first), tf.matmul(x, second)], 1)
        tf.identity(x, 'output')
    net = nets.net_of(graph)

    found = cost.layer_macs(net.trace, shapes_of(net.arrays))

    assert found == {'MatMul': 3 * 2, 'MatMul_1': 3 * 6}
