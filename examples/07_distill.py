"""Prunes half of the channels, and brings the answers back from samples alone.

    python examples/07_distill.py

Neither labels nor the training program are needed: the layers are repaired one by one,
and the small network is then trained as a whole to answer like the unpruned one.
"""

from __future__ import annotations

import tempfile

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp


def write_model(prefix: str) -> None:
    """A checkpoint with its meta graph, as `tf.train.Saver` writes them."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        net = tf.placeholder(tf.float32, [None, 8, 8, 3], 'images')
        net = tf.layers.conv2d(net, 16, 3, activation=tf.nn.relu, name='first')
        net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
        net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
        tf.identity(net, name='output')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)


def prune_without_labels(path: str, images: np.ndarray, folder: str) -> None:
    """Writes a network of half the width to a folder."""
    model = tp.load(path, outputs=['output'])
    samples = tp.samples(model, {'images': images})
    plan = tp.choose(model, ratio=0.5, criterion='l2', groups='all')
    repaired = tp.repair(model, plan, samples)
    small = tp.strip(repaired.model, plan)
    tuned = tp.distill(small, model, samples, tp.DistillOptions(steps=200))
    print(tuned)
    print(tp.save(tuned.stripped, folder, formats=['ckpt', 'pb']))


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        write_model(f'{folder}/model.ckpt')
        images = np.random.RandomState(0).randn(512, 8, 8, 3).astype(np.float32)
        prune_without_labels(f'{folder}/model.ckpt', images, f'{folder}/small')
