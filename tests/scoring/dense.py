"""Two dense layers and a cross entropy, in TensorFlow and in numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels.trace import trace
from tf1pruning.criteria import registry
from tf1pruning.graph.inference import derivation
from tf1pruning.scoring import loss_model, run
from tf1pruning.scoring.batches import Batches

GENERATOR = np.random.RandomState(3)
W1 = GENERATOR.normal(size=[4, 3]).astype(np.float32)
W2 = GENERATOR.normal(size=[3, 2]).astype(np.float32)
X = GENERATOR.normal(size=[10, 4]).astype(np.float32)
Y = GENERATOR.randint(0, 2, [10]).astype(np.int32)
WEIGHTS = {'a/kernel': W1, 'b/kernel': W2}
# Batches of 4, 4 and 2 examples.
SIZE = 4
PARTS = [slice(0, 4), slice(4, 8), slice(8, 10)]


class Gradients(NamedTuple):
    """Of a batch: hidden activations and derivatives of the mean loss."""

    hidden: np.ndarray
    at_hidden: np.ndarray
    at_w1: np.ndarray
    at_w2: np.ndarray


def gradients(part, w1=W1, w2=W2, temperature=1.0):
    """Backpropagation by hand, in double precision."""
    x, w1, w2 = (np.asarray(a, np.float64) for a in (X[part], w1, w2))
    before = x @ w1
    hidden = np.maximum(before, 0)
    logits = hidden @ w2
    share = np.exp(logits / temperature)
    share /= share.sum(axis=1, keepdims=True)
    error = (share - np.eye(2)[Y[part]]) / len(x) / temperature
    at_hidden = error @ w2.T
    return Gradients(
        hidden, at_hidden, x.T @ (at_hidden * (before > 0)), hidden.T @ error
    )


def average(of_batch):
    """Mean over the batches, weighted by their sizes."""
    found = [of_batch(part) for part in PARTS]
    return np.average(found, axis=0, weights=[4, 4, 2])


def graph():
    with tf.Graph().as_default() as found:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        y = tf.placeholder(tf.int32, [None], 'y')
        w1 = tf.get_variable('a/kernel', [4, 3])
        w2 = tf.get_variable('b/kernel', [3, 2])
        logits = tf.matmul(tf.nn.relu(tf.matmul(x, w1)), w2)
        tf.identity(logits, name='output')
        tf.losses.sparse_softmax_cross_entropy(y, logits)
    return found


def score(names, batches=None, start=None, temperature=1.0, **options):
    """Scores of group `a`."""
    meta_graph = tf.train.export_meta_graph(graph=graph())
    found = trace(derivation.derive(meta_graph, ['output']))
    groups = [g for g in groups_lib.find_groups(found) if not g.frozen]
    return run.score(
        found,
        groups,
        loss_model.tempered(loss_model.loss_model(meta_graph), temperature),
        run.Weights(WEIGHTS, start),
        batches or Batches.of_arrays({'x': X, 'y': Y}, SIZE),
        [registry.find_data(name) for name in names],
        **options,
    )
