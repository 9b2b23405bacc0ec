from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.training.listener import EvalCheckpointSaverListener

RATE = 0.25


def data():
    return tf.data.Dataset.from_tensors(([[1.0]], [[1.0]])).repeat(3)


def model_fn(features, labels, mode):
    """One weight that starts at 0 and moves to 1; the loss is its squared distance."""
    weight = tf.get_variable('weight', [1, 1], initializer=tf.initializers.zeros())
    loss = tf.reduce_mean(tf.square(tf.matmul(features, weight) - labels))
    step = tf.train.get_or_create_global_step()
    optimizer = tf.train.GradientDescentOptimizer(RATE)
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=optimizer.minimize(loss, global_step=step)
    )


@pytest.fixture
def estimator(tmp_path):
    config = tf.estimator.RunConfig(save_checkpoints_steps=1)
    return tf.estimator.Estimator(model_fn, str(tmp_path / 'model'), config)


def test_every_saved_checkpoint_is_evaluated_once(estimator):
    listener = EvalCheckpointSaverListener(estimator, data)

    estimator.train(data, max_steps=2, saving_listeners=[listener])

    # The weight is 0, then 0 + 0.25 * 2 = 0.5, then 0.75.
    assert [(step, found['loss']) for step, found in listener.results] == [
        (0, 1.0),
        (1, 0.25),
        (2, 0.0625),
    ]


def test_a_resumed_training_evaluates_no_step_again(estimator):
    seen = []
    listener = EvalCheckpointSaverListener(
        estimator, data, on_result=lambda step, found: seen.append(step)
    )

    estimator.train(data, max_steps=1, saving_listeners=[listener])
    estimator.train(data, max_steps=2, saving_listeners=[listener])

    assert seen == [0, 1, 2]


def test_the_number_of_batches_and_the_name_are_passed_on(estimator, tmp_path):
    def long_data():
        batches = tf.data.Dataset.range(2)
        return batches.map(lambda i: ([[1.0]], [[tf.cast(i, tf.float32)]]))

    listener = EvalCheckpointSaverListener(estimator, long_data, steps=1, name='first')

    estimator.train(data, max_steps=1, saving_listeners=[listener])

    # The first batch only: target 0, weight 0 at step 0.
    assert listener.results[0][1]['loss'] == 0.0
    assert (tmp_path / 'model' / 'eval_first').is_dir()
