"""A network is run with other weights, from where they make a difference."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.recovery import teaching
from tf1pruning.errors import DataError
from tf1pruning.graph.inference import derivation
from tf1pruning.recovery.store import Disk, Store
from tf1pruning.recovery.trials import Trials
from tf1pruning.scoring.batches import Batches
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


@contextlib.contextmanager
def trials_on(batches):
    """A context of trials on samples."""
    graph_def = forked()
    graph = derivation.derive(tf.MetaGraphDef(graph_def=graph_def), OUTPUTS)
    store = Store(Disk(1 << 20))
    found = Trials(graph, graph_def, batches, STRICT, store)
    yield found
    found.close()
    store.close()


@pytest.fixture
def trials():
    with trials_on(teaching.batches(12, 4)) as found:
        yield found


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

    with pytest.raises(DataError, match='not finite on the data'):
        trials.change({'w_right': np.full([2, 2], np.inf, np.float32)})


def test_samples_that_are_all_alike_give_a_change_no_scale():
    alike = Batches.of_arrays({'input': np.ones([8, 3], np.float32)}, 4)

    with trials_on(alike) as trials:
        trials.start(['w_left'])
        with pytest.raises(DataError, match='does not vary over the samples'):
            trials.change({'w_left': 2 * LEFT})
