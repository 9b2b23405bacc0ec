"""Writes a pruned network as a TensorFlow Lite file that computes in 8-bit integers.

    python examples/06_int8.py

The ranges of all tensors are measured on samples. Take real inputs of your network;
random ones stand for them here.
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
        net = tf.placeholder(tf.float32, [None, 16, 16, 3], 'images')
        net = tf.layers.conv2d(net, 16, 3, use_bias=False, name='first')
        net = tf.nn.relu(tf.layers.batch_normalization(net))
        net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
        net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
        tf.identity(net, name='output')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)


def export(path: str, folder: str) -> None:
    """Prunes, strips and writes the file; prints how far its answers are off."""
    model = tp.load(path, outputs=['output'])
    plan = tp.choose(model, ratio=0.5, criterion='l2', groups='all')
    small = tp.strip(tp.soft_prune(model, plan, f'{folder}/soft/model.ckpt'), plan)
    images = np.random.RandomState(0).rand(16, 16, 16, 3).astype(np.float32)
    int8 = tp.ExportOptions(samples={'images': images})
    print(tp.save(small, f'{folder}/int8', formats=['tflite'], options=int8))


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        write_model(f'{folder}/model.ckpt')
        export(f'{folder}/model.ckpt', folder)
