"""What a ReLU behind a layer cuts off is found in the graph and in its values."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels.trace import trace
from tf1pruning.graph.inference import derivation
from tf1pruning.names import TensorRef
from tf1pruning.recovery import one_sided
from tf1pruning.recovery.layers import Form, layers_of
from tf1pruning.recovery.one_sided import Activation, SoFar

Y, READ = TensorRef('conv/Conv2D', 0), TensorRef('read', 0)
KERNEL = np.zeros([1, 1, 2, 3], np.float32)


def traced(behind):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 2], 'x')
        tf.identity(behind(networks.conv(x, 3)), name='output')
        meta_graph = tf.train.export_meta_graph(graph=graph)
    return trace(derivation.derive(meta_graph, ['output']))


def layer_of(found):
    (layer,) = layers_of(found, np.zeros(found.count, bool)).values()
    return layer


def activation_of(behind):
    found = traced(behind)
    view, outputs = found.model.view(), found.model.outputs
    return one_sided.activation(view, layer_of(found), outputs)


@pytest.mark.parametrize(('relu', 'most'), [(tf.nn.relu, np.inf), (tf.nn.relu6, 6.0)])
def test_a_relu_is_found_behind_bias_and_batch_norm(relu, most):
    found = activation_of(lambda y: relu(networks.batch_norm(y)))

    assert found is not None
    assert found.reads.node.startswith('BatchNorm/')
    assert found.most == most


@pytest.mark.parametrize(
    'behind',
    [
        tf.identity,
        tf.nn.tanh,
        lambda y: tf.nn.relu(y) + y,
    ],
    ids=['nothing', 'tanh', 'two readers'],
)
def test_without_a_relu_for_all_that_a_layer_makes_there_is_none(behind):
    assert activation_of(behind) is None


def limits_of(y, read, most=6.0):
    layer = layer_of(traced(tf.nn.relu6))
    values = {layer.y: y, READ: read}
    form = Form(layer, KERNEL, 2)
    return one_sided.limits(Activation(READ, most), layer, form, values)


def test_limits_are_where_a_straight_line_meets_those_of_the_relu():
    y = np.random.RandomState(0).randn(5, 4, 4, 3).astype(np.float32)
    y[..., 2] = 1.0

    found = limits_of(y, y * np.array([2.0, -1.0, 5.0]) + 1)

    np.testing.assert_allclose(found.low.ravel(), [-0.5, -5.0, -np.inf], rtol=1e-5)
    np.testing.assert_allclose(found.high.ravel(), [2.5, 1.0, np.inf], rtol=1e-5)
    unlimited = limits_of(y, y * np.array([2.0, -1.0, 5.0]) + 1, most=np.inf)
    np.testing.assert_allclose(unlimited.low.ravel(), [-0.5, -np.inf, -np.inf])


def test_what_is_no_straight_line_has_no_limits():
    y = np.random.RandomState(0).randn(5, 4, 4, 3).astype(np.float32)

    assert limits_of(y, y**2) is None
    assert limits_of(y, y[:, :2]) is None


def test_what_is_wanted_counts_from_the_intercept_so_far():
    limits = one_sided.Limits(np.zeros([1, 1, 1]), np.full([1, 1, 1], 6.0))
    so_far = SoFar(limits, np.full([1, 1, 1], 2.0), np.full([1, 1, 1], 0.5))
    rows = np.array([-1.0, 1.0, 1.0]).reshape(1, 3, 1)
    made = np.array([-9.0, -9.0, 3.0]).reshape(1, 3, 1)

    # The layer makes -1.5, 2.5 and 2.5.
    assert so_far.wanted(rows, made).ravel().tolist() == [-2.0, -0.5, 2.5]
