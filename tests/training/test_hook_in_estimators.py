"""The hook in the trainings that TensorFlow brings."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.training.pruning_hook import HOLD, PruningHook


def model_fn(features, labels, mode):
    del features, labels
    train, loss = hooked.build()
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def zeros_input():
    images = tf.data.Dataset.from_tensors((np.zeros([2, 3], np.float32), [[0.0, 0.0]]))
    return images.repeat()


def test_an_estimator_is_held_up_to_its_last_checkpoint(tmp_path):
    estimator = tf.estimator.Estimator(model_fn, str(tmp_path))
    hook = PruningHook(
        hooked.plan(), HOLD, every_steps=2, summary_dir=estimator.model_dir
    )

    estimator.train(zeros_input, [hook], steps=3)
    estimator.train(zeros_input, [hook], steps=2)

    assert hooked.is_zero(Checkpoint(str(tmp_path / 'model.ckpt-3')))
    assert hooked.is_zero(Checkpoint(str(tmp_path / 'model.ckpt-5')))
    rates = hooked.events(tmp_path).Scalars('pruning/failure_rate')
    assert [(e.step, e.value) for e in rates] == [(2, 0), (3, 0), (5, 0)]


def test_every_copy_of_a_mirrored_variable_is_held(tmp_path):
    strategy = tf.distribute.MirroredStrategy(['/cpu:0', '/cpu:1'])
    devices = tf.ConfigProto(device_count={'CPU': 2})
    config = tf.estimator.RunConfig(train_distribute=strategy, session_config=devices)
    estimator = tf.estimator.Estimator(model_fn, str(tmp_path), config)
    copies = _CopiesHook()

    estimator.train(zeros_input, [PruningHook(hooked.plan(), HOLD), copies], steps=2)

    assert hooked.is_zero(Checkpoint(str(tmp_path / 'model.ckpt-2')))
    assert [name for name, _ in copies.found] == ['a/kernel', 'a/kernel/replica_1']
    for _, kernel in copies.found:
        cut, kept = hooked.cut_and_kept('a/kernel', kernel)
        assert not cut.any()
        assert kept.all()


def test_variables_in_central_storage_are_held(tmp_path):
    strategy = tf.distribute.experimental.CentralStorageStrategy(
        ['/cpu:0', '/cpu:1'], '/cpu:0'
    )
    devices = tf.ConfigProto(device_count={'CPU': 2})
    config = tf.estimator.RunConfig(train_distribute=strategy, session_config=devices)
    estimator = tf.estimator.Estimator(model_fn, str(tmp_path), config)

    estimator.train(zeros_input, [PruningHook(hooked.plan(), HOLD)], steps=2)

    checkpoint = Checkpoint(str(tmp_path / 'model.ckpt-2'))
    assert hooked.is_zero(checkpoint)
    assert hooked.cut_and_kept('a/kernel', checkpoint['a/kernel'])[1].all()


class _CopiesHook(tf.train.SessionRunHook):
    """Reads both copies of a/kernel at the end."""

    def begin(self):
        graph = tf.get_default_graph()
        self._reads = {
            name: tf.raw_ops.ReadVariableOp(
                resource=graph.get_tensor_by_name(f'{name}:0'), dtype=tf.float32
            )
            for name in ('a/kernel', 'a/kernel/replica_1')
        }

    def end(self, session):
        self.found = sorted(session.run(self._reads).items())


def test_a_keras_estimator_is_held(tmp_path):
    layers = [
        tf.keras.layers.Dense(4, input_shape=(3,), name='a'),
        tf.keras.layers.Dense(2, name='b', use_bias=False),
    ]
    model = tf.keras.Sequential(layers)
    model.compile(tf.keras.optimizers.SGD(0.1, momentum=0.9), 'mse')
    estimator = tf.keras.estimator.model_to_estimator(model, model_dir=str(tmp_path))
    images = np.random.RandomState(0).rand(8, 3).astype(np.float32)

    def input_fn():
        return tf.data.Dataset.from_tensors((images, images[:, :2])).repeat()

    estimator.train(input_fn, [PruningHook(hooked.plan(), HOLD)], steps=2)

    checkpoint = Checkpoint(str(tmp_path / 'model.ckpt-2'))
    assert hooked.is_zero(checkpoint)
    assert hooked.cut_and_kept('a/kernel', checkpoint['a/kernel'])[1].all()
