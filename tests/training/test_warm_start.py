from __future__ import annotations

import re
import unittest

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import CheckpointError
from tf1pruning.training import warm_start


def ones(name, shape=(2,), **kwargs):
    return tf.get_variable(name, shape, initializer=tf.initializers.ones(), **kwargs)


def scaffold_of(*args, **options):
    return tf.train.Scaffold(init_fn=warm_start.init_fn(*args, **options))


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
        scaffold = scaffold_of(checkpoint)
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
        scaffold = scaffold_of(checkpoint)
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            np.testing.assert_array_equal(session.run(whole), [0, 1, 2, 3])
            np.testing.assert_array_equal(session.run(resource), [6, 6])


def test_an_object_based_checkpoint_is_restored_by_name(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        saved = tf.train.Checkpoint(a=ones('weight'))
        session.run(tf.global_variables_initializer())
        prefix = saved.save(str(tmp_path / 'objects'), session)
    with tf.Graph().as_default():
        weight = tf.get_variable('weight', [2])
        with tf.train.SingularMonitoredSession(scaffold=scaffold_of(prefix)) as session:
            np.testing.assert_array_equal(session.run(weight), [1, 1])


def test_only_the_named_variables_are_restored(checkpoint):
    with tf.Graph().as_default():
        weight, other = ones('weight'), ones('moving_mean')
        scaffold = scaffold_of(checkpoint, [weight])
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            np.testing.assert_array_equal(session.run(weight), [3, 3])
            np.testing.assert_array_equal(session.run(other), [1, 1])


def test_all_variables_that_do_not_fit_are_named_at_once(checkpoint):
    with tf.Graph().as_default():
        ones('weight', (3,))
        ones('weihgt')
        ones('bias')
        with pytest.raises(CheckpointError) as error:
            scaffold_of(checkpoint)

    message = str(error.value)
    assert "has no 'bias', 'weihgt'" in message
    assert "'weight': expected (3,), found (2,)" in message


def test_a_missing_checkpoint_is_named(tmp_path):
    with tf.Graph().as_default():
        ones('weight')
        with pytest.raises(CheckpointError, match='nowhere'):
            scaffold_of(str(tmp_path / 'nowhere'))


def test_what_is_not_restored_is_named_with_the_reason(checkpoint):
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        weight = ones('weight')
        mean = ones('moving_mean', trainable=False)
        loss = tf.reduce_sum(weight)
        tf.train.AdamOptimizer().minimize(loss, step, [weight])
        average = tf.train.ExponentialMovingAverage(0.9)
        average.apply([weight, mean])
        tf.get_variable('open', initializer=[1.0], validate_shape=False)
        found = warm_start.init_fn(checkpoint)

    assert found.restored == ('weight', 'moving_mean')
    assert found.skipped == {
        'global_step': warm_start.STEP,
        'weight/Adam': warm_start.SLOT,
        'weight/Adam_1': warm_start.SLOT,
        'weight/ExponentialMovingAverage': warm_start.SLOT,
        'moving_mean/ExponentialMovingAverage': warm_start.SLOT,
        'beta1_power': warm_start.OPTIMIZER,
        'beta2_power': warm_start.OPTIMIZER,
        'open': warm_start.NO_SHAPE,
    }


def test_slots_and_step_are_restored_when_asked_for(checkpoint):
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        weight = ones('weight')
        optimizer = tf.train.MomentumOptimizer(0.0, 0.9)
        optimizer.minimize(tf.reduce_sum(weight), step, [weight])
        scaffold = scaffold_of(checkpoint, with_slots=True, with_global_step=True)
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            slot = session.run(optimizer.get_slot(weight, 'momentum'))
            assert session.run(step) == 70

    np.testing.assert_array_equal(slot, [5, 5])


@pytest.mark.parametrize(
    ('weight', 'mean', 'advice'),
    [
        (1, 2, 'The model was stripped and the checkpoint was not'),
        (3, 2, 'The checkpoint was stripped and the model was not'),
        (1, 3, 'Each side is narrower somewhere'),
    ],
)
def test_the_stripped_side_is_named(checkpoint, weight, mean, advice):
    with tf.Graph().as_default():
        ones('weight', (weight,))
        ones('moving_mean', (mean,))
        with pytest.raises(CheckpointError, match=advice):
            warm_start.init_fn(checkpoint)


def model_fn(features, labels, mode, params):
    del features, labels
    with tf.variable_scope('', use_resource=params['resource']):
        weight = ones('weight')
        ones('moving_mean', trainable=False)
        parts = ones('parts', (4,), partitioner=tf.fixed_size_partitioner(2))
    loss = 0.0 * (tf.reduce_sum(weight) + tf.reduce_sum(tf.identity(parts)))
    step = tf.train.get_or_create_global_step()
    train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, step)
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def estimator_of(settings, folder, resource=False):
    return tf.estimator.Estimator(
        model_fn, str(folder), params={'resource': resource}, warm_start_from=settings
    )


@pytest.mark.parametrize('resource', [False, True])
def test_an_estimator_starts_from_the_settings(checkpoint, tmp_path, resource):
    settings = warm_start.warm_start_settings(checkpoint)
    estimator = estimator_of(settings, tmp_path / 'new', resource)
    estimator.train(tf_input, steps=1)

    value = estimator.get_variable_value
    np.testing.assert_array_equal(value('weight'), [3, 3])
    np.testing.assert_array_equal(value('moving_mean'), [4, 4])
    np.testing.assert_array_equal(value('parts'), [0, 1, 2, 3])
    np.testing.assert_array_equal(value('weight/Momentum'), [0, 0])
    assert value('global_step') == 1


def test_an_estimator_that_asks_for_slots_needs_them_in_the_checkpoint(
    checkpoint, tmp_path
):
    settings = warm_start.warm_start_settings(
        checkpoint, with_slots=True, with_global_step=True
    )
    with pytest.raises(CheckpointError, match="has no 'parts/Momentum'"):
        estimator_of(settings, tmp_path / 'new').train(tf_input, steps=1)


def test_an_estimator_names_the_stripped_side_and_all_that_does_not_fit(tmp_path):
    values = {'weight': np.ones([1], np.float32), 'moving_mean': np.ones([2], np.int64)}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in values.items():
            tf.get_variable(name, initializer=value)
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / 'stripped.ckpt'))
    settings = warm_start.warm_start_settings(prefix)

    with pytest.raises(CheckpointError) as error:
        estimator_of(settings, tmp_path / 'new').train(tf_input, steps=1)

    message = str(error.value)
    assert "has no 'parts'" in message
    assert "'weight': expected (2,), found (1,)" in message
    assert "'moving_mean': expected float32, found int64" in message
    assert 'The checkpoint was stripped and the model was not' in message


def keras_estimator(optimizer, folder, start=None):
    layers = [tf.keras.layers.Dense(1, input_shape=(1,), name='dense', use_bias=False)]
    model = tf.keras.Sequential(layers)
    model.compile(optimizer, 'mse')
    estimator = tf.keras.estimator.model_to_estimator(model, model_dir=str(folder))
    return tf.estimator.Estimator(
        estimator.model_fn, str(folder), warm_start_from=start
    )


def keras_input():
    return tf.data.Dataset.from_tensors(([[1.0]], [[0.0]])).repeat()


@pytest.mark.parametrize('optimizer', ['SGD', 'Adam'])
def test_the_learning_rate_of_a_keras_optimizer_is_that_of_the_new_training(
    tmp_path, optimizer
):
    old = keras_estimator(tf.keras.optimizers.SGD(0.5), tmp_path / 'old')
    old.train(keras_input, steps=1)
    settings = warm_start.warm_start_settings(old.latest_checkpoint())
    slow = getattr(tf.keras.optimizers, optimizer)(0.0)
    new = keras_estimator(slow, tmp_path / 'new', settings)
    restored = _Restored(old.latest_checkpoint())

    new.train(keras_input, [restored], steps=1)

    assert new.get_variable_value(f'training/{optimizer}/learning_rate') == 0.0
    np.testing.assert_array_equal(
        new.get_variable_value('dense/kernel'), old.get_variable_value('dense/kernel')
    )
    assert restored.keys == ('dense/kernel',)


class _Restored(tf.train.SessionRunHook):
    """What an `init_fn` would restore in the graph of a training."""

    def __init__(self, checkpoint):
        self._checkpoint = checkpoint

    def begin(self):
        self.keys = warm_start.init_fn(self._checkpoint).restored


def test_a_truncated_data_file_is_named(checkpoint):
    path = f'{checkpoint}.data-00000-of-00001'
    with open(path, 'r+b') as file:
        file.truncate(4)
    with tf.Graph().as_default():
        ones('weight')
        with pytest.raises(CheckpointError, match=r'ckpt. cannot be read: Read less'):
            tf.train.SingularMonitoredSession(scaffold=scaffold_of(checkpoint))


def tf_input():
    return tf.data.Dataset.from_tensors([0.0]).repeat()


def test_a_slot_of_ones_own_name_is_known_by_the_meta_graph(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        weight = ones('weight')
        ones('weight/scale')
        optimizer = tf.train.MomentumOptimizer(0.1, 0.9, name='Mine')
        optimizer.minimize(tf.reduce_sum(weight), var_list=[weight])
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / 'own.ckpt'))
    (pattern,) = warm_start.warm_start_settings(prefix).vars_to_warm_start

    matched = [
        name
        for name in ('weight:0', 'weight/scale:0', 'weight/Mine:0', 'global_step:0')
        if re.match(pattern, name)
    ]
    assert matched == ['weight:0', 'weight/scale:0']


@pytest.mark.parametrize('start', ['warm_start_settings', 'init_fn'])
def test_a_folder_with_checkpoints_is_warned_of(checkpoint, tmp_path, start):
    trained(tmp_path / 'old', checkpoint, steps=1)
    with tf.Graph().as_default():
        ones('weight')
        with unittest.TestCase().assertLogs('absl', 'WARNING') as logged:
            getattr(warm_start, start)(checkpoint, model_dir=str(tmp_path / 'old'))
            getattr(warm_start, start)(checkpoint, model_dir=str(tmp_path / 'new'))

    (record,) = logged.records
    assert 'No warm start from' in record.getMessage()
    assert 'training goes on from' in record.getMessage()
    assert 'old/model.ckpt-1' in record.getMessage()
