"""Rounds of pruning and training, as users write them."""

from __future__ import annotations

import os

import numpy as np
import tensorflow.compat.v1 as tf

from tests import sessions
from tf1pruning import Pruning
from tf1pruning.training.stripped_graph import import_stripped
from tf1pruning.training.warm_start import warm_start_settings

IMAGES = np.random.RandomState(5).standard_normal([4, 8, 8, 3]).astype(np.float32)


def one_round(checkpoint, folder, threshold=0.55):
    """Soft-prunes and strips a checkpoint; returns the finished `Pruning`."""
    pruning = Pruning(checkpoint, output_dir=str(folder), channel_multiple=1)
    pruning.set_threshold(threshold)
    pruned = pruning.pruning_process()
    tf.train.update_checkpoint_state(os.path.dirname(pruned), pruned)
    pruning.get_retrained_ckpt(os.path.dirname(pruned))
    pruning.get_rebuild_graph()
    pruning.get_strip_params()
    pruning.get_strip_ckpt()
    return pruning


def train(model_dir, stripped, checkpoint):
    """Trains a stripped network for two steps; returns the new checkpoint."""
    estimator = tf.estimator.Estimator(
        model_fn,
        str(model_dir),
        tf.estimator.RunConfig(session_config=sessions.unoptimized()),
        params={'meta': os.path.join(str(stripped), 'Stripped_Dir', 'training.meta')},
        warm_start_from=warm_start_settings(checkpoint),
    )
    estimator.train(input_fn, steps=2)
    estimator.evaluate(input_fn, steps=1)
    return estimator.latest_checkpoint()


def model_fn(features, labels, mode, params):
    training = mode == tf.estimator.ModeKeys.TRAIN
    logits = import_stripped(params['meta'], features, training)['output']
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train_op = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss, step)
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)


def input_fn():
    return tf.data.Dataset.from_tensors((IMAGES, np.arange(4))).repeat(4)
