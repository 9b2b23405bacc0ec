"""Loss and accuracy with fed weights, beside the same in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.scoring import dense
from tf1pruning.errors import DataError
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring import loss_model
from tf1pruning.scoring.batches import Batches
from tf1pruning.studies.evaluation import Evaluator

BATCHES = Batches.of_arrays({'x': dense.X, 'y': dense.Y}, dense.SIZE)


def expected(w1):
    logits = np.maximum(dense.X @ w1, 0) @ dense.W2
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -np.log(share[np.arange(10), dense.Y]).mean()
    return loss, (logits.argmax(axis=1) == dense.Y).mean()


def model_of(graph):
    return loss_model.loss_model(tf.train.export_meta_graph(graph=graph))


def test_each_point_is_that_of_its_weights():
    evaluator = Evaluator(model_of(dense.graph()), dense.WEIGHTS, BATCHES)
    changed = dense.W1 * [1, 0, 0]

    found = [evaluator(w) for w in ({}, {'a/kernel': changed}, {})]

    for outcome, w1 in zip(found, (dense.W1, changed, dense.W1)):
        loss, accuracy = expected(w1)
        assert outcome.loss == pytest.approx(loss, rel=1e-5)
        assert outcome.accuracy == pytest.approx(accuracy)
    assert found[0].loss != pytest.approx(found[1].loss, rel=1e-3)


def test_points_of_the_same_weights_add_nothing_to_the_graph():
    evaluator = Evaluator(model_of(dense.graph()), dense.WEIGHTS, BATCHES)
    evaluator({})
    graph = evaluator._network.graph
    before = len(graph.get_operations())

    evaluator({'a/kernel': dense.W1 * 2})

    assert len(graph.get_operations()) == before


def graph_with(loss):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        y = tf.placeholder(tf.int32, [None], 'y')
        w1 = tf.get_variable('a/kernel', [4, 3])
        w2 = tf.get_variable('b/kernel', [3, 2])
        logits = tf.matmul(tf.nn.relu(tf.matmul(x, w1)), w2)
        tf.losses.add_loss(loss(tf.one_hot(y, 2), logits))
    return graph


def test_labels_may_be_one_hot():
    graph = graph_with(
        lambda labels, logits: tf.reduce_mean(
            tf.nn.softmax_cross_entropy_with_logits_v2(labels, logits)
        )
    )

    outcome = Evaluator(model_of(graph), dense.WEIGHTS, BATCHES)({})

    assert (outcome.loss, outcome.accuracy) == pytest.approx(expected(dense.W1))


def test_another_loss_has_no_accuracy():
    graph = graph_with(
        lambda labels, logits: tf.reduce_mean(tf.square(labels - logits))
    )

    outcome = Evaluator(model_of(graph), dense.WEIGHTS, BATCHES)({})

    assert outcome.loss > 0
    assert outcome.accuracy is None


def test_data_that_is_missing_or_does_not_fit_is_said():
    model = model_of(dense.graph())

    with pytest.raises(DataError, match='no batch'):
        Evaluator(model, dense.WEIGHTS, batches_lib.Batches(lambda: []))
    with pytest.raises(DataError, match="needs the inputs 'y'"):
        Evaluator(model, dense.WEIGHTS, Batches.of_arrays({'x': dense.X}, 4))({})
    wrong = Batches.of_arrays({'x': dense.X[:, :3], 'y': dense.Y}, 4)
    with pytest.raises(DataError, match='does not run on the data'):
        Evaluator(model, dense.WEIGHTS, wrong)({})
