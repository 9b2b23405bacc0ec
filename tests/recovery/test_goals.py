"""What a layer should make follows from what is behind it, in graph and values."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels.trace import trace
from tf1pruning.graph.inference import derivation
from tf1pruning.names import TensorRef
from tf1pruning.recovery import goals
from tf1pruning.recovery.depths import moving
from tf1pruning.recovery.goals import Behind, Made, SoFar
from tf1pruning.recovery.layers import Form, layers_of

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


def behind_of(behind):
    found = traced(behind)
    view, outputs = found.model.view(), found.model.outputs
    return goals.find(view, layer_of(found), outputs, moving(view))


@pytest.mark.parametrize(('relu', 'most'), [(tf.nn.relu, np.inf), (tf.nn.relu6, 6.0)])
def test_a_relu_is_found_behind_bias_and_batch_norm(relu, most):
    found = behind_of(lambda y: relu(networks.batch_norm(y)))

    assert found is not None
    assert found.line == found.end
    assert found.end.node.startswith('BatchNorm/')
    assert (found.others, found.most) == ((), most)


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
    assert behind_of(behind) is None


@pytest.mark.parametrize(
    ('after', 'most'), [(tf.tanh, None), (lambda y: tf.nn.relu(tf.identity(y)), np.inf)]
)
def test_a_sum_with_another_branch_is_found(after, most):
    def behind(y):
        x = tf.get_default_graph().get_tensor_by_name('x:0')
        other = tf.reduce_sum(x, axis=-1, keepdims=True, name='other')
        return after(tf.add(networks.batch_norm(y), other, name='sum'))

    found = behind_of(behind)

    assert found is not None
    assert found.line.node.startswith('BatchNorm/')
    assert found.others == (TensorRef('other', 0),)
    assert found.most == most


def goal_of(y, read, most=6.0, **tensors):
    """The goal of a layer with a straight line to `read`, and a sum if it is given."""
    layer = layer_of(traced(tf.nn.relu6))
    values = {
        layer.y: y,
        READ: read,
        **{TensorRef(n, 0): t for n, t in tensors.items()},
    }
    end = TensorRef('sum', 0) if 'sum' in tensors else READ
    others = (TensorRef('other', 0),) if 'sum' in tensors else ()
    now = TensorRef('y_now', 0), TensorRef('sum_now', 0)
    form = Form(layer, KERNEL, 2)
    return goals.goal(Behind(READ, end, others, most), layer, form, values, now)


def images(seed):
    return np.random.RandomState(seed).randn(5, 4, 4, 3).astype(np.float32)


def test_the_cut_off_is_where_a_straight_line_meets_those_of_the_relu():
    y = images(0)
    y[..., 2] = 1.0
    read = y * np.array([2.0, -1.0, 5.0]) + 1

    found = goal_of(y, read).cut_off(None)

    np.testing.assert_allclose(found.low.ravel(), [-0.5, -5.0, -np.inf], rtol=1e-5)
    np.testing.assert_allclose(found.high.ravel(), [2.5, 1.0, np.inf], rtol=1e-5)
    unlimited = goal_of(y, read, np.inf).cut_off(None)
    np.testing.assert_allclose(unlimited.low.ravel(), [-0.5, -np.inf, -np.inf])


def test_what_is_no_straight_line_has_no_goal():
    y = images(0)

    assert goal_of(y, y**2) is None
    assert goal_of(y, y[:, :2]) is None


def test_a_layer_makes_up_for_the_errors_of_other_branches():
    y, other, error, y_now = map(images, range(4))
    slope = np.array([2.0, -1.0, 1e-4], np.float32)
    read, now = y * slope + 1, y_now * slope + 1
    tensors = {'sum': read + other, 'y_now': y_now, 'sum_now': now + other + error}
    goal = goal_of(y, read, **tensors)
    values = {'conv/Conv2D': y, **tensors}

    found = goal.made(lambda ref: values[ref.node].reshape(1, -1, 3))

    expected = (y - error / slope).reshape(1, -1, 3)
    np.testing.assert_allclose(found.wanted[..., :2], expected[..., :2], atol=1e-5)
    # The sum does not depend on the last channel.
    np.testing.assert_array_equal(found.wanted[..., 2], y[..., 2].reshape(1, -1))
    cut_off = goal.cut_off(found.zero)
    at_zero = (-(1 + other + error) / slope).reshape(1, -1, 3)
    np.testing.assert_allclose(cut_off.low[..., 0], at_zero[..., 0], atol=1e-5)
    np.testing.assert_allclose(cut_off.high[..., 1], at_zero[..., 1], atol=1e-5)
    assert np.isinf(cut_off.low[..., 2]).all()
    np.testing.assert_allclose(goal.worth, [[4.0, 1.0, 0.0]], rtol=1e-4)


def test_what_is_wanted_counts_from_the_intercept_so_far():
    y = images(0)
    so_far = SoFar(goal_of(y, y), np.full([1, 1, 3], 2.0), np.full([1, 1, 3], 0.5))
    rows = np.array([-1.0, 1.0, 1.0]).reshape(1, 3, 1)
    made = Made(np.tile(np.array([-9.0, -9.0, 3.0]).reshape(1, 3, 1), 3))

    # The layer makes -1.5, 2.5 and 2.5; below 0 any value will do.
    found = so_far.wanted(rows, made)[..., 0]

    np.testing.assert_allclose(found.ravel(), [-2.0, -0.5, 2.5], atol=1e-5)
