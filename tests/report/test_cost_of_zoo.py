"""MACs and parameters of the zoo, beside those that TensorFlow's profiler counts.

The profiler counts two float operations for a multiply-accumulate, and also those of
initializers, biases, additions and poolings. So convolutions, depthwise and transposed
ones, and dense layers are compared, node by node. The batch is one example.
"""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from demo.networks.catalogue import NETWORKS
from tests import networks as test_networks
from tests.demo.networks import tiny
from tf1pruning.channels.trace import trace
from tf1pruning.report import cost

COMPARED = ('Conv2D', 'Conv2DBackpropInput', 'DepthwiseConv2dNative', 'MatMul')


def graph_of(name):
    with tf.Graph().as_default() as graph:
        shape = [1, tiny.SIZE, tiny.SIZE, NETWORKS[name].image[2]]
        images = tf.placeholder(tf.float32, shape, 'input')
        NETWORKS[name].build(images, tiny.CONFIGS[name])
    return graph


def profile(graph, options):
    builder = tf.profiler.ProfileOptionBuilder(options).with_empty_output()
    return tf.profiler.profile(graph, cmd='scope', options=builder.build())


def float_operations(node):
    """Name of a node -> its float operations."""
    found = {node.name: node.float_ops} if node.float_ops else {}
    for child in node.children:
        found.update(float_operations(child))
    return found


@pytest.mark.parametrize('name', sorted(NETWORKS))
def test_every_layer_and_the_parameters_are_those_of_the_profiler(name):
    graph = graph_of(name)
    builder = tf.profiler.ProfileOptionBuilder
    counted = profile(graph, builder.float_operation())
    trained = profile(graph, builder.trainable_variables_parameter())
    kinds = {op.name: op.type for op in graph.get_operations()}

    traced = trace(test_networks.model_of(graph, NETWORKS[name].outputs))
    shapes = {v.node: v.shape for v in traced.model.variables}
    nodes = cost.node_costs(traced, shapes)

    assert {each.node: 2 * each.macs for each in nodes if each.macs} == {
        node: operations
        for node, operations in float_operations(counted).items()
        if kinds.get(node) in COMPARED
    }
    moving = sum(
        each.parameters // 2 for each in nodes if each.op.startswith('FusedBatchNorm')
    )
    total = sum(each.parameters for each in nodes)
    assert total == cost.measure(traced, shapes, ()).parameters
    assert total - moving == trained.total_parameters
