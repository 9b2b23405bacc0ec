"""Scores of convolutions: resource variables, batch norm, flattened channels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels.trace import trace
from tf1pruning.criteria import registry
from tf1pruning.errors import DataError, GraphError
from tf1pruning.graph.inference import derivation
from tf1pruning.scoring import loss_model, run
from tf1pruning.scoring.batches import Batches

X = np.random.RandomState(1).normal(size=[3, 4, 4, 2]).astype(np.float32)


def reshaped(x):
    return tf.reshape(x, [-1, 80])


def conv_graph(resource=False, flatten=reshaped):
    """conv `a`, batch norm `bn` in training mode, ReLU, flatten, dense `b`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 2], 'x')
        with tf.variable_scope('', use_resource=resource):
            y = networks.conv(x, 5, 3, 'a', use_bias=False)
            y = tf.layers.batch_normalization(y, training=True, name='bn')
            y = tf.nn.relu(y, name='act')
            y = tf.layers.dense(flatten(y), 3, name='b')
        tf.identity(y, name='output')
        side = tf.reduce_sum(tf.get_variable('side', [2]))
        tf.reduce_mean(tf.square(y) + side, name='loss')
        tf.identity(y, name='vector')
    return graph


def channels_first_graph():
    """The same network, with its convolution and batch norm channels first."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 2], 'x')
        y = tf.transpose(x, [0, 3, 1, 2])
        options = {'use_bias': False, 'data_format': 'channels_first'}
        y = networks.conv(y, 5, 3, 'a', **options)
        y = tf.layers.batch_normalization(y, axis=1, training=True, name='bn')
        y = tf.transpose(tf.nn.relu(y, name='act'), [0, 2, 3, 1])
        y = tf.layers.dense(tf.reshape(y, [-1, 80]), 3, name='b')
        tf.identity(y, name='output')
        side = tf.reduce_sum(tf.get_variable('side', [2]))
        tf.reduce_mean(tf.square(y) + side, name='loss')
    return graph


def scored(graph, criteria, loss='loss'):
    meta_graph = tf.train.export_meta_graph(graph=graph)
    found = trace(derivation.derive(meta_graph, ['output']))
    groups = [g for g in groups_lib.find_groups(found) if not g.frozen]
    wanted = [registry.find_data(name) for name in criteria]
    return run.score(
        found,
        groups,
        loss_model.loss_model(meta_graph, loss),
        run.Weights(networks.random_arrays(graph)),
        Batches.of_arrays({'x': X}, 3),
        wanted,
    ).scores


def by_hand(graph):
    """Activations, their gradient, and weights with theirs, in the same graph."""
    arrays = networks.random_arrays(graph)
    model = derivation.derive(
        tf.train.export_meta_graph(graph=graph), ['loss', 'act', 'output']
    )
    keep = {v.node: arrays[v.node] for v in model.variables}
    gamma, beta = keep['bn/gamma'], keep['bn/beta']
    mean, variance = keep['bn/moving_mean'], keep['bn/moving_variance']
    with tf.Graph().as_default(), tf.Session() as session:
        w, g, b = (tf.constant(v) for v in (keep['a/kernel'], gamma, beta))
        y = tf.nn.conv2d(X, w, strides=1, padding='SAME')
        y = (y - mean) / np.sqrt(variance + 1e-3) * g + b
        x = tf.nn.relu(y)
        z = tf.matmul(tf.reshape(x, [-1, 80]), keep['b/kernel']) + keep['b/bias']
        loss = tf.reduce_mean(tf.square(z) + keep['side'].sum())
        of = [x, w, g, b]
        return session.run([of, tf.gradients(loss, of)])


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize(
    'flatten', [reshaped, tf.layers.flatten, lambda x: tf.keras.layers.Flatten()(x)]
)
def test_flattened_channels_and_batch_norm_are_scored(resource, flatten):
    graph = conv_graph(resource, flatten)

    scores = scored(graph, ['taylor_abs_rs', 'tfo', 'fisher_bn'])

    (x, w, gamma, beta), (gx, gw, g_gamma, g_beta) = by_hand(graph)
    np.testing.assert_allclose(
        scores['taylor_abs_rs']['a'],
        [-np.abs((x * gx).mean(axis=(1, 2))).mean(axis=0)],
        rtol=1e-3,
        atol=1e-7,
    )
    np.testing.assert_allclose(
        scores['tfo']['a'], [-np.abs((w * gw).sum(axis=(0, 1, 2)))], rtol=1e-3
    )
    np.testing.assert_allclose(
        scores['fisher_bn']['a'],
        [-(np.square(gamma * g_gamma) + np.square(beta * g_beta))],
        rtol=1e-3,
    )


def test_channels_first_scores_the_same():
    criteria = ['taylor_abs_rs', 'tfo', 'fisher_bn']

    first = scored(channels_first_graph(), criteria)

    last = scored(conv_graph(), criteria)
    for name in criteria:
        np.testing.assert_allclose(first[name]['a'], last[name]['a'], rtol=1e-3)


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        ('', 'no collection of losses. Name the loss'),
        ('vector', r"'vector' has shape \(None, 3\); expected a scalar"),
        ('los', "'los'"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(loss, message):
    with pytest.raises(GraphError, match=message):
        scored(conv_graph(), ['tfo'], loss)


def test_a_group_without_batch_norm_has_no_fisher_information_of_it():
    with tf.Graph().as_default() as graph:
        y = networks.conv(tf.placeholder(tf.float32, [None, 4, 4, 2], 'x'), 5, 3, 'a')
        y = networks.conv(y, 3, 1, 'b')
        tf.reduce_mean(y, [1, 2], name='output')
        tf.reduce_mean(tf.square(y), name='loss')

    with pytest.raises(GraphError, match=r"'fisher_bn' .*group 'a' has none of them"):
        scored(graph, ['fisher_bn'])


def test_a_loss_that_does_not_depend_on_a_group_names_it():
    graph = conv_graph()
    with graph.as_default():
        x = graph.get_tensor_by_name('x:0')
        tf.reduce_mean(tf.reduce_sum(x), name='other')

    with pytest.raises(GraphError, match="loss reads none of group 'a'"):
        scored(graph, ['tfo'], 'other')


def test_a_gradient_that_is_nan_names_the_group():
    graph = conv_graph()
    with graph.as_default():
        zeros = tf.nn.relu(-tf.abs(graph.get_tensor_by_name('act:0')))
        nothing = tf.reduce_sum(tf.square(zeros))
        # Finite, and its gradient is infinite times zero.
        tf.add(graph.get_tensor_by_name('loss:0'), tf.sqrt(nothing), name='steep')

    with pytest.raises(DataError, match=r"Batch 1 gives NaN .* at 'a'\. Check"):
        scored(graph, ['tfo'], 'steep')


def test_several_losses_ask_for_one():
    graph = conv_graph()
    with graph.as_default():
        tf.losses.add_loss(graph.get_tensor_by_name('loss:0'))
        tf.losses.add_loss(2 * graph.get_tensor_by_name('loss:0'))

    with pytest.raises(GraphError, match=r"2 losses: 'loss', 'mul'\. Name the loss"):
        scored(graph, ['tfo'], '')
