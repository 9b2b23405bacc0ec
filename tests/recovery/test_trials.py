"""A network is run with other weights, from where they make a difference."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.recovery import teaching
from tf1pruning.errors import DataError
from tf1pruning.graph.inference import derivation
from tf1pruning.recovery.store import Disk, Store
from tf1pruning.recovery.trials import Trials
from tf1pruning.sessions import STRICT

OUTPUTS = ('left', 'right')
LEFT, RIGHT = (np.diag([1.0, weight]).astype(np.float32) for weight in (2.0, 3.0))


def forked():
    """`[n, 3]` -> the first two columns times one weight each, in two outputs."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')[:, :2]
        for name, value in zip(OUTPUTS, (LEFT, RIGHT)):
            tf.matmul(x, tf.constant(value, name=f'w_{name}'), name=name)
    return graph.as_graph_def()


@pytest.fixture
def trials():
    graph_def = forked()
    graph = derivation.derive(tf.MetaGraphDef(graph_def=graph_def), OUTPUTS)
    store = Store(Disk(1 << 20))
    found = Trials(graph, graph_def, teaching.batches(12, 4), STRICT, store)
    yield found
    found.close()
    store.close()


def test_the_worst_output_counts_and_those_that_nothing_reaches_do_not_change(trials):
    trials.start(['w_left'])

    found = trials.change({'w_left': LEFT * [1, 0]})

    rows = teaching.inputs(12)[:, :2] @ LEFT
    power = np.square(rows - rows.mean(axis=0)).sum()
    wanted = np.sqrt(np.square(rows[:, 1]).sum() / power)
    assert found == pytest.approx(wanted, rel=1e-4)
    assert trials.change({'w_left': LEFT}) == 0


def test_an_answer_that_overflows_has_no_scale(trials):
    trials.start(['w_right'])

    with pytest.raises(DataError, match='or is not finite'):
        trials.change({'w_right': np.full([2, 2], np.inf, np.float32)})
