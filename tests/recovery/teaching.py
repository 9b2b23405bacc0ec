"""A tiny teacher and its students: frozen graphs of two dense layers."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import derivation
from tf1pruning.recovery.network import FrozenNetwork
from tf1pruning.scoring.batches import Batches

OUTPUTS = ('output',)


def graph_of(seed, activation=tf.nn.relu, hidden=4):
    """`[n, 3]` -> `[n, 2]`, with weights `a`, `b` and `bias` that a seed draws."""
    generator = np.random.RandomState(seed)

    def weight(name, *shape):
        return tf.constant(generator.randn(*shape).astype(np.float32), name=name)

    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        x = activation(tf.matmul(x, weight('a', 3, hidden)) + weight('bias', hidden))
        tf.matmul(x, weight('b', hidden, 2), name='output')
    return graph.as_graph_def()


def teacher(graph_def=None):
    graph_def = graph_def or graph_of(seed=0)
    meta = tf.MetaGraphDef(graph_def=graph_def)
    return FrozenNetwork(derivation.derive(meta, OUTPUTS), graph_def)


def inputs(count, seed=0):
    return np.random.RandomState(seed).randn(count, 3).astype(np.float32)


def batches(count=24, size=4, seed=0):
    return Batches.of_arrays({'input': inputs(count, seed)}, size)
