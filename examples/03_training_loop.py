"""Prunes over a ladder of thresholds with a training behind each, then strips.

    python examples/03_training_loop.py

`Pruning` keeps the order of the steps and writes the files of each. The network and its
data are random: put your own `model_fn` and `input_fn` in their place.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import Pruning
from tf1pruning.training import warm_start_settings

STEPS = 5


def input_fn() -> tf.data.Dataset:
    """The same eight images, again and again."""
    images = np.random.RandomState(0).rand(8, 16, 16, 3).astype(np.float32)
    labels = np.arange(8) % 5
    return tf.data.Dataset.from_tensors((images, labels)).repeat()


def model_fn(features: tf.Tensor, labels: tf.Tensor, mode: str) -> Any:
    """Two convolutions and a dense layer."""
    tf.set_random_seed(0)
    training = mode == tf.estimator.ModeKeys.TRAIN
    net = tf.layers.conv2d(features, 16, 3, use_bias=False, name='first')
    net = tf.nn.relu(tf.layers.batch_normalization(net, training=training))
    net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
    net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
    logits = tf.identity(net, name='output')
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    optimizer = tf.train.MomentumOptimizer(0.01, 0.9)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train = optimizer.minimize(loss, tf.train.get_or_create_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def train(folder: str, checkpoint: str = '') -> str:
    """Trains in a folder, from a checkpoint if there is one; gives the new one."""
    start = warm_start_settings(checkpoint, model_dir=folder) if checkpoint else None
    model = tf.estimator.Estimator(model_fn, folder, warm_start_from=start)
    model.train(input_fn, steps=STEPS)
    return str(model.latest_checkpoint())


def main(folder: str) -> None:
    """Trains, prunes and retrains twice, and strips."""
    first = train(os.path.join(folder, 'trained'))
    pruning = Pruning(first, output_nodes='output', groups='all')
    for threshold in (0.55, 0.5):
        step = os.path.join(folder, f'TH{threshold}')
        pruning.set_threshold(threshold)
        pruning.set_output_dir(step)
        train(step, pruning.pruning_process())
        pruning.get_retrained_ckpt(step)
        # The share of the planned zeros that the training has changed.
        print(f'threshold {threshold}: {pruning.get_pruning_summary():.3f} came back')
    pruning.get_rebuild_graph()
    pruning.get_strip_params()
    print(f'stripped: {os.path.basename(pruning.get_strip_ckpt())}')


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        main(folder)
