"""Trains a soft-pruned network in a session of one's own, while its zeros stay zero.

    python examples/04_hook.py

The hook works in every `MonitoredTrainingSession`, that of an Estimator included.
"""

from __future__ import annotations

import os
import tempfile
from typing import Sequence

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tf1pruning.training import PruningHook, init_fn

STEPS = 5


def build() -> tf.Operation:
    """Data, network, loss and optimizer, in the default graph."""
    tf.set_random_seed(0)
    images = np.random.RandomState(0).rand(8, 16, 16, 3).astype(np.float32)
    data = tf.data.Dataset.from_tensors((images, np.arange(8) % 5)).repeat()
    net, labels = tf.data.make_one_shot_iterator(data).get_next()
    net = tf.layers.conv2d(net, 16, 3, activation=tf.nn.relu, name='first')
    net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
    net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
    logits = tf.identity(net, name='output')
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    optimizer = tf.train.MomentumOptimizer(0.01, 0.9)
    return optimizer.minimize(loss, tf.train.get_or_create_global_step())


def train(
    folder: str, start: str = '', hooks: Sequence[tf.train.SessionRunHook] = ()
) -> None:
    """Trains in a folder, from the weights of the checkpoint `start` if it is given."""
    with tf.Graph().as_default():
        step = build()
        scaffold = tf.train.Scaffold(init_fn=init_fn(start) if start else None)
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=folder, scaffold=scaffold, hooks=hooks
        ) as session:
            for _ in range(STEPS):
                session.run(step)


def main(folder: str) -> None:
    """Trains, prunes, trains on with the hook, and strips."""
    trained, retrained = os.path.join(folder, 'a'), os.path.join(folder, 'b')
    train(trained)
    model = tp.load(trained, outputs=['output'])
    plan = tp.choose(model, ratio=0.5, criterion='l1', groups='all')
    soft = tp.soft_prune(model, plan, os.path.join(folder, 'soft', 'model.ckpt'))
    train(retrained, soft.path, [PruningHook(plan, policy='hold')])
    print(tp.strip(tp.load(retrained, outputs=['output']), plan))


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        main(folder)
