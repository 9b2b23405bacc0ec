"""What a model function may call, called once for each copy of a MirroredStrategy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.training import devices, regularizers, warm_start

COPIES = ('cpu:0', 'cpu:1')


def model_fn(features, labels, mode, params):
    """`hooked` with a batch-norm scale and a statistic, all at 0.5."""
    del features, labels
    half = tf.initializers.constant(0.5)
    for name, shape in hooked.SHAPES.items():
        tf.get_variable(name, shape, initializer=half)
    gamma = tf.get_variable('a/gamma', [4], initializer=half)
    mean = tf.get_variable(
        'a/moving_mean',
        [4],
        initializer=half,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.MEAN,
    )
    step = tf.train.get_or_create_global_step()
    restore = warm_start.init_fn(params['start']) if 'start' in params else None
    kernels = [v for v in tf.trainable_variables() if v.name == 'b/kernel:0']
    loss = (
        regularizers.l1_of_scales(1.0)
        + regularizers.growing_penalty(hooked.plan(), 1.0, 1, 1.0)
        + regularizers.group_lasso(kernels, 1.0)
    )
    move = tf.assign_sub(mean, 0.5 * (mean - gamma))
    with tf.control_dependencies([move]):
        train = tf.train.GradientDescentOptimizer(0.5).minimize(loss, step)
    scaffold = tf.train.Scaffold(init_fn=restore)
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=train, scaffold=scaffold
    )


def input_fn():
    return tf.data.Dataset.from_tensors(([0.0], [0.0])).repeat()


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    """A checkpoint of ones, and of twos for the statistic."""
    values = {**dict.fromkeys(hooked.SHAPES, 1.0), 'a/gamma': 1.0, 'a/moving_mean': 2.0}
    shapes = {**hooked.SHAPES, 'a/gamma': (4,), 'a/moving_mean': (4,)}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in values.items():
            tf.get_variable(name, initializer=np.full(shapes[name], value, np.float32))
        session.run(tf.global_variables_initializer())
        folder = tmp_path_factory.mktemp('start')
        return tf.train.Saver().save(session, str(folder / 'model.ckpt'))


@pytest.mark.parametrize(
    ('copies', 'by'), [((), 'init_fn'), (COPIES, 'init_fn'), (COPIES, 'settings')]
)
def test_a_step_on_copies_is_the_step_on_one_device(start, tmp_path, copies, by):
    config = tf.estimator.RunConfig(
        train_distribute=devices.mirrored(copies) if copies else None,
        session_config=devices.session_config(copies),
    )
    estimator = tf.estimator.Estimator(
        model_fn,
        str(tmp_path),
        config,
        {'start': start} if by == 'init_fn' else {},
        warm_start.warm_start_settings(start) if by == 'settings' else None,
    )

    estimator.train(input_fn, steps=1)

    found = Checkpoint(str(tmp_path / 'model.ckpt-1'))
    assert set(found) == {*hooked.SHAPES, 'a/gamma', 'a/moving_mean', 'global_step'}
    np.testing.assert_allclose(found['a/moving_mean'], [1.5] * 4)
    np.testing.assert_allclose(found['a/gamma'], [0.5] * 4)
    # The planned channels 1 and 2 are pulled to zero by half.
    np.testing.assert_allclose(found['a/kernel'], [[1, 0.5, 0.5, 1]] * 3)
    np.testing.assert_allclose(found['a/bias'], [1, 0.5, 0.5, 1])
    # Each column of four ones has norm 2.
    kept, cut = 1 - 0.5 / 2, 1 - 0.5 / 2 - 0.5
    np.testing.assert_allclose(
        found['b/kernel'], [[kept] * 2, [cut] * 2, [cut] * 2, [kept] * 2]
    )
