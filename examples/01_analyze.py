"""Lists the channel groups of a network, what they cost, and why some may not be cut.

    python examples/01_analyze.py

A small network is written first. With a model of your own only `analyze` is needed.
"""

from __future__ import annotations

import tempfile

import tensorflow.compat.v1 as tf

import tf1pruning as tp


def write_model(prefix: str) -> None:
    """A checkpoint with its meta graph, as `tf.train.Saver` writes them."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        net = tf.placeholder(tf.float32, [None, 16, 16, 3], 'images')
        net = tf.layers.conv2d(net, 16, 3, activation=tf.nn.relu, name='first')
        net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
        net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
        tf.identity(net, name='output')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)


def analyze(path: str) -> None:
    """Prints what may go, as a table and as values."""
    model = tp.load(path, outputs=['output'])
    found = tp.analyze(model)
    print(found)
    for group in found.groups:
        if group.reasons:
            print(f'{group.name} stays whole: {group.reasons[0]}.')


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        write_model(f'{folder}/model.ckpt')
        analyze(f'{folder}/model.ckpt')
