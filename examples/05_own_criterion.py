"""Ranks channels by criteria of one's own: one on weights, one on data.

    python examples/05_own_criterion.py

A high score means redundant. docs/criteria.md lists the criteria that are there.
"""

from __future__ import annotations

import tempfile

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tf1pruning.criteria import register, register_data


@register('largest_weight')
def largest_weight(kernel: np.ndarray, axis: int) -> np.ndarray:
    """One score per filter: those whose largest weight is small go first."""
    others = tuple(a for a in range(kernel.ndim) if a != axis)
    return -np.abs(kernel).max(axis=others)


@register_data('variance', 'activations', derivative='')
def variance(values: tf.Tensor) -> tf.Tensor:
    """From `[batch, places, channels]`: channels that vary little go first."""
    return tf.math.reduce_variance(values, axis=[0, 1])


def write_model(prefix: str) -> None:
    """A checkpoint with the graph of its training, whose loss the scores look at."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        net = tf.placeholder(tf.float32, [None, 16, 16, 3], 'images')
        labels = tf.placeholder(tf.int32, [None], 'labels')
        net = tf.layers.conv2d(net, 16, 3, activation=tf.nn.relu, name='first')
        net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
        net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
        logits = tf.identity(net, name='output')
        tf.losses.sparse_softmax_cross_entropy(labels, logits)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)


def prune(path: str) -> None:
    """Prints how many channels go by each of the two."""
    model = tp.load(path, outputs=['output'])
    plan = tp.choose(model, ratio=0.5, criterion='largest_weight', groups='all')
    print(f'largest_weight: {plan.removed_count} of {plan.channel_count} channels go')

    images = np.random.RandomState(0).rand(32, 16, 16, 3).astype(np.float32)
    arrays = {'images': images, 'labels': np.arange(32, dtype=np.int32) % 5}
    scores = tp.score(model, tp.Batches.of_arrays(arrays, 8), ['variance'])
    plan = tp.choose(
        model, ratio=0.5, criterion='variance', scores=scores, groups='all'
    )
    print(f'variance: {plan.removed_count} of {plan.channel_count} channels go')


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        write_model(f'{folder}/model.ckpt')
        prune(f'{folder}/model.ckpt')
