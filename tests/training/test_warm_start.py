from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import CheckpointError
from tf1pruning.training.warm_start import warm_start_scaffold


def ones(name, shape=(2,), **kwargs):
    return tf.get_variable(name, shape, initializer=tf.initializers.ones(), **kwargs)


@pytest.fixture
def checkpoint(tmp_path):
    """Weights of 3, a moving mean of 4, a slot of 5, step 70; all kinds of variable."""
    values = {
        'weight': np.full([2], 3, np.float32),
        'moving_mean': np.full([2], 4, np.float32),
        'weight/Momentum': np.full([2], 5, np.float32),
        'global_step': np.int64(70),
        'resource': np.full([2], 6, np.float32),
        'parts': np.arange(4, dtype=np.float32),
    }
    with tf.Graph().as_default(), tf.Session() as session:
        variables = [
            tf.Variable(value, name=name, use_resource=False)
            for name, value in values.items()
        ]
        session.run(tf.global_variables_initializer())
        return tf.train.Saver(variables).save(session, str(tmp_path / 'model.ckpt'))


def trained(model_dir, checkpoint, steps):
    """Values of all variables after `steps` steps of training with rate 0."""
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        weight = ones('weight')
        ones('moving_mean', trainable=False)
        scaffold = warm_start_scaffold(checkpoint)
        optimizer = tf.train.MomentumOptimizer(0.0, 0.9)
        train = optimizer.minimize(0.0 * tf.reduce_sum(weight), step, [weight])
        wanted = {v.op.name: v for v in tf.global_variables()}
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=str(model_dir), scaffold=scaffold, save_checkpoint_steps=1
        ) as session:
            for _ in range(steps):
                session.run(train)
            return session.run(wanted)


def test_weights_and_statistics_are_restored_and_nothing_else(checkpoint, tmp_path):
    found = trained(tmp_path / 'new', checkpoint, steps=1)

    np.testing.assert_array_equal(found['weight'], [3, 3])
    np.testing.assert_array_equal(found['moving_mean'], [4, 4])
    np.testing.assert_array_equal(found['weight/Momentum'], [0, 0])
    assert found['global_step'] == 1


def test_an_interrupted_training_goes_on_from_its_own_checkpoint(checkpoint, tmp_path):
    trained(tmp_path / 'new', checkpoint, steps=2)

    assert trained(tmp_path / 'new', checkpoint, steps=1)['global_step'] == 3


def test_resource_and_partitioned_variables_are_restored(checkpoint):
    with tf.Graph().as_default():
        resource = ones('resource', use_resource=True)
        parts = ones('parts', (4,), partitioner=tf.fixed_size_partitioner(2))
        whole = tf.identity(parts)
        scaffold = warm_start_scaffold(checkpoint)
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            np.testing.assert_array_equal(session.run(whole), [0, 1, 2, 3])
            np.testing.assert_array_equal(session.run(resource), [6, 6])


def test_only_the_named_variables_are_restored(checkpoint):
    with tf.Graph().as_default():
        weight, other = ones('weight'), ones('moving_mean')
        scaffold = warm_start_scaffold(checkpoint, [weight])
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            np.testing.assert_array_equal(session.run(weight), [3, 3])
            np.testing.assert_array_equal(session.run(other), [1, 1])


def test_all_variables_that_do_not_fit_are_named_at_once(checkpoint):
    with tf.Graph().as_default():
        ones('weight', (3,))
        ones('weihgt')
        ones('bias')
        with pytest.raises(CheckpointError) as error:
            warm_start_scaffold(checkpoint)

    message = str(error.value)
    assert "has no 'bias', 'weihgt'" in message
    assert "'weight': expected (3,), found (2,)" in message


def test_a_missing_checkpoint_is_named(tmp_path):
    with tf.Graph().as_default():
        ones('weight')
        with pytest.raises(CheckpointError, match='nowhere'):
            warm_start_scaffold(str(tmp_path / 'nowhere'))
