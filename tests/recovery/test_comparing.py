"""Networks are compared on samples, batch by batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import DataError
from tf1pruning.graph.frozen import freeze
from tf1pruning.recovery import comparing
from tf1pruning.scoring.batches import Batches

X = np.random.RandomState(0).randn(10, 3).astype(np.float32)


@pytest.fixture(scope='module')
def graph():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        tf.identity(tf.matmul(x, tf.get_variable('w', [3, 2])), 'output')
    return networks.model_of(graph)


def frozen(graph, factor):
    return freeze.freeze(graph, {'w': factor * np.eye(3, 2, dtype=np.float32)})


def test_changes_are_those_of_all_batches(graph):
    found = comparing.changes(
        graph,
        frozen(graph, 1.0),
        [frozen(graph, 1.0), frozen(graph, 1.5)],
        Batches.of_arrays({'input': X}, 4),
    )
    y = X[:, :2]
    expected = np.sqrt(np.square(0.5 * y).sum() / np.square(y - y.mean(0)).sum())
    assert [each.change.worst for each in found[:2]] == [0, 0]
    assert found[2].change.worst == pytest.approx(expected, rel=1e-5)
    assert found[2].change.agreement == 1
    assert found[2].accuracy is None


def test_accuracy_is_that_of_the_largest_element(graph):
    y = X[:, :2]
    labels = y.argmax(axis=1)
    labels[:3] = 1 - labels[:3]
    found = comparing.changes(
        graph,
        frozen(graph, 1.0),
        [frozen(graph, -1.0)],
        Batches.of_arrays({'input': X}, 4),
        labels=labels,
    )
    assert [each.accuracy for each in found] == [pytest.approx(0.7), pytest.approx(0.3)]


@pytest.mark.parametrize(
    'batches, message',
    [
        (Batches(lambda: []), 'no samples'),
        (Batches.of_arrays({'input': X[:, :2]}, 4), 'does not run on the samples'),
    ],
)
def test_samples_that_do_not_fit_are_refused(graph, batches, message):
    with pytest.raises(DataError, match=message):
        comparing.changes(graph, frozen(graph, 1.0), [frozen(graph, 1.0)], batches)


def test_outputs_without_a_scale_are_refused_with_what_to_name():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        scores = tf.matmul(x, tf.get_variable('w', [3, 2]), name='scores')
        tf.argmax(scores, 1, name='output')
    model = networks.model_of(graph)

    message = r"'output' are integers or text.* Name 'scores' instead"
    with pytest.raises(DataError, match=message):
        comparing.check_scale(model)
