"""Prunes half of the channels of a network, and writes what is left of it.

    python examples/02_prune_and_strip.py

Nothing is trained here. In earnest, train on from the soft-pruned checkpoint before it
is stripped (03_training_loop.py, 04_hook.py), so that the accuracy comes back.
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
        net = tf.layers.conv2d(net, 16, 3, use_bias=False, name='first')
        net = tf.nn.relu(tf.layers.batch_normalization(net))
        net = tf.layers.conv2d(net, 32, 3, activation=tf.nn.relu, name='second')
        net = tf.layers.dense(tf.reduce_mean(net, [1, 2]), 5, name='logits')
        tf.identity(net, name='output')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)


def prune_and_strip(path: str, folder: str) -> None:
    """Writes `soft/` (zeros, same shapes) and `small/` (smaller shapes) to a folder."""
    model = tp.load(path, outputs=['output'])
    plan = tp.choose(model, ratio=0.5, criterion='l2', groups='all')
    tp.save_plan(plan, f'{folder}/plan.json')
    soft = tp.soft_prune(model, plan, f'{folder}/soft/model.ckpt')
    small = tp.strip(soft, plan)
    print(small)
    print(tp.save(small, f'{folder}/small', formats=['ckpt', 'pb', 'saved_model']))


if __name__ == '__main__':
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        write_model(f'{folder}/model.ckpt')
        prune_and_strip(f'{folder}/model.ckpt', folder)
