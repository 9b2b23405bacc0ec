"""Weights after training steps, beside the same in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.scoring import dense
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import CheckpointError, DataError, GraphError, OptionError
from tf1pruning.scoring import loss_model
from tf1pruning.scoring.batches import Batches
from tf1pruning.studies.clone import Clone, Steps

BATCHES = list(Batches.of_arrays({'x': dense.X, 'y': dense.Y}, dense.SIZE).start())
IMAGES = np.random.RandomState(1).rand(4, 8, 8, 3).astype(np.float32)
BATCH = [{'input': IMAGES}]


def clone_of(graph, steps, arrays=None):
    meta_graph = tf.train.export_meta_graph(graph=graph)
    if arrays is None:
        arrays = networks.random_arrays(graph)
    return Clone(
        meta_graph,
        loss_model.loss_model(meta_graph),
        ArraysInMemory(arrays),
        steps,
    )


def dense_clone(count, rate=0.5):
    return clone_of(dense.graph(), Steps(count, rate), dense.WEIGHTS)


def descended(count, w1=dense.W1, free=1.0):
    """Gradient descent by hand; the batches are gone round."""
    w1, w2 = w1.astype(np.float64), dense.W2.astype(np.float64)
    for number in range(count):
        found = dense.gradients(dense.PARTS[number % 3], w1, w2)
        w1, w2 = w1 - 0.5 * free * found.at_w1, w2 - 0.5 * found.at_w2
    return w1, w2


@pytest.mark.parametrize('count', [1, 3, 5])
def test_steps_are_those_of_gradient_descent(count):
    found = dense_clone(count)(BATCHES, {}, {})

    w1, w2 = descended(count)
    np.testing.assert_allclose(found['a/kernel'], w1, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found['b/kernel'], w2, rtol=1e-4, atol=1e-6)


def test_what_is_not_free_stays_and_the_rest_is_trained():
    free = np.array([[True, False, True]] * 4)
    start = dense.W1 * free

    found = dense_clone(4)(BATCHES, {'a/kernel': start}, {'a/kernel': free})

    w1, w2 = descended(4, start, free)
    assert not found['a/kernel'][:, 1].any()
    np.testing.assert_allclose(found['a/kernel'], w1, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found['b/kernel'], w2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('resource', [False, True])
def test_every_training_starts_from_the_same_weights(resource):
    graph = networks.inverted_residual_net(
        is_training=True, optimizer='adam', resource=resource
    )
    clone = clone_of(graph, Steps(3, 0.1))
    kernel = 'SE1/reduce/kernel'
    other = {kernel: np.zeros([1, 1, 8, 4], np.float32)}

    first = clone(BATCH, {}, {})
    changed = clone(BATCH, other, {})
    again = clone(BATCH, {}, {})

    # Dropout draws the same, too.
    for node, array in first.items():
        np.testing.assert_array_equal(array, again[node])
    assert (changed[kernel] != first[kernel]).any()
    assert not any('Adam' in node for node in first)


def test_batch_norm_is_in_training_mode_and_its_statistics_move():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], 'x')
        flag = tf.placeholder_with_default(False, [], 'flag')
        y = tf.layers.batch_normalization(x, momentum=0.75, training=flag, name='bn')
        tf.losses.add_loss(tf.reduce_mean(tf.square(y - 1.0)))
    start = {
        'bn/gamma': np.ones(2, np.float32),
        'bn/beta': np.zeros(2, np.float32),
        'bn/moving_mean': np.zeros(2, np.float32),
        'bn/moving_variance': np.ones(2, np.float32),
    }
    data = [{'x': np.array([[0, 8], [8, 16]], np.float32)}]

    found = clone_of(graph, Steps(1, 0.5), start)(data, {}, {})

    # The means of the batch are 4 and 12; a quarter of the way is gone.
    np.testing.assert_allclose(found['bn/moving_mean'], [1, 3])
    # d/dbeta of the mean of (y - 1)^2 is 2 * mean(y - 1) / 2, and mean(y) is 0.
    np.testing.assert_allclose(found['bn/beta'], [0.5, 0.5], rtol=1e-5)


@pytest.mark.parametrize('resource', [False, True])
def test_conditionals_of_a_training_flag_and_functions_are_trained(resource):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        flag = tf.placeholder(tf.bool, [], 'flag')
        with tf.variable_scope('', use_resource=resource):
            x = networks.conv(x, 4)
            x = tf.layers.batch_normalization(x, training=flag, name='bn')
        x = tf.layers.dropout(x, 0.5, training=flag)
        x = tf.function(tf.square)(x)
        tf.losses.add_loss(tf.reduce_mean(x))
    start = networks.random_arrays(graph)

    found = clone_of(graph, Steps(2, 0.1))(BATCH, {}, {})

    still = [n for n, array in found.items() if np.allclose(array, start[n], atol=1e-6)]
    # Batch norm takes away what the bias of the convolution adds.
    assert still == ['conv/bias']
    assert len(found) == 6


def test_a_loop_is_refused():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        y = tf.layers.dense(x, 4)
        y = tf.while_loop(
            lambda i, _: i < 3, lambda i, v: (i + 1, v * 1.5), (tf.constant(0), y)
        )[1]
        tf.losses.add_loss(tf.reduce_mean(y))

    with pytest.raises(GraphError, match=r'has no gradient in an imported graph'):
        clone_of(graph, Steps(1, 0.1))


def test_steps_that_diverge_are_said():
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    clone = clone_of(graph, Steps(5, 1e30))

    with pytest.raises(DataError, match=r'After 5 training steps .* below 1e\+30'):
        clone(BATCH, {}, {})


def test_an_input_that_only_training_has_is_named():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        keep = tf.placeholder(tf.float32, [], 'keep_prob')
        kernel = tf.get_variable('kernel', [4, 2])
        logits = tf.matmul(tf.nn.dropout(x, keep_prob=keep), kernel)
        tf.losses.add_loss(tf.reduce_mean(tf.square(logits)))

    with pytest.raises(DataError, match="needs the inputs 'keep_prob'"):
        clone_of(graph, Steps(1, 0.1))([{'x': dense.X}], {}, {})


def test_a_loss_without_trainable_variables_is_refused():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        fixed = tf.get_variable('fixed', [4, 2], trainable=False)
        tf.losses.add_loss(tf.reduce_mean(tf.matmul(x, fixed)))
        tf.get_variable('unread', [2])

    with pytest.raises(GraphError, match='depends on no trainable variable'):
        clone_of(graph, Steps(1, 0.1))


def test_variables_that_the_checkpoint_lacks_are_named():
    with pytest.raises(CheckpointError, match=r"lacks: 'b/kernel'"):
        clone_of(dense.graph(), Steps(1, 0.1), {'a/kernel': dense.W1})


def test_update_ops_that_write_files_are_not_run(tmp_path):
    graph = dense.graph()
    with graph.as_default():
        write = tf.io.write_file(str(tmp_path / 'written'), 'x', name='writing')
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, write)

    with pytest.raises(GraphError, match=r"'writing' \(WriteFile\)"):
        clone_of(graph, Steps(1, 0.1), dense.WEIGHTS)
    unsafe = Steps(1, 0.1, allow_unsafe=True)
    clone_of(graph, unsafe, dense.WEIGHTS)(BATCHES, {}, {})
    assert (tmp_path / 'written').exists()


@pytest.mark.parametrize(
    ('count', 'rate', 'message'),
    [
        (0, 0.1, 'number of steps is 0; expected at least 1'),
        (1, 0.0, r'learning rate is 0\.0; expected above 0'),
        (1, float('nan'), 'learning rate is nan; expected above 0'),
    ],
)
def test_numbers_out_of_range_are_refused(count, rate, message):
    with pytest.raises(OptionError, match=message):
        Steps(count, rate)
