"""A small network as an Estimator's `model_fn`, its data and a trained checkpoint."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tests import sessions

CLASSES = 4
# Width of each layer that is pruned.
WIDTHS = {'a': 8, 'b': 12}
CHANNELS = sum(WIDTHS.values())
_GENERATOR = np.random.RandomState(0)
IMAGES = _GENERATOR.rand(16, 6, 6, 3).astype(np.float32)
LABELS = (np.arange(16) % CLASSES).astype(np.int32)


def input_fn():
    return eval_input_fn().repeat()


def eval_input_fn():
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)


def model_fn(features, labels, mode):
    training = mode == tf.estimator.ModeKeys.TRAIN
    x = tf.layers.conv2d(features, WIDTHS['a'], 3, padding='same', name='a')
    x = tf.nn.relu(tf.layers.batch_normalization(x, training=training, name='norm'))
    x = tf.layers.conv2d(x, WIDTHS['b'], 3, name='b', activation=tf.nn.relu)
    logits = tf.layers.dense(tf.reduce_mean(x, [1, 2]), CLASSES, name='c')
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train_op = tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss, step)
    metrics = {'accuracy': tf.metrics.accuracy(labels, tf.argmax(logits, 1))}
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=train_op, eval_metric_ops=metrics
    )


def config(**options):
    return tf.estimator.RunConfig(
        tf_random_seed=3, session_config=sessions.unoptimized(), **options
    )


def train(folder, steps=4):
    """Prefix of a checkpoint of the network."""
    estimator = tf.estimator.Estimator(model_fn, str(folder), config())
    estimator.train(input_fn, steps=steps)
    return estimator.latest_checkpoint()
