from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from demo.training.frozen import accuracies, load, median_latencies
from tf1pruning.errors import GraphError


@pytest.fixture
def doubler(tmp_path):
    """A frozen graph whose `output` is twice its `input`, `[n, 3]`."""
    with tf.Graph().as_default() as graph:
        tf.multiply(tf.placeholder(tf.float32, [None, 3], 'input'), 2.0, name='output')
        path = tmp_path / 'doubler.pb'
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return str(path)


def test_runs_the_graph_from_the_file(doubler):
    np.testing.assert_array_equal(load(doubler)(np.array([[1, 2, 3]])), [[2, 4, 6]])


def test_accuracy_counts_the_last_short_batch(doubler):
    images = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    labels = np.array([0, 1, 0, 0, 2])
    batches = [(images[at : at + 2], labels[at : at + 2]) for at in (0, 2, 4)]

    models = {'same': load(doubler), 'first': lambda x: x * [3, 1, 1]}
    found = accuracies(models, batches)

    assert found == {'same': 0.6, 'first': 0.6}


def test_missing_file_node_and_damage_are_named(tmp_path):
    (tmp_path / 'damaged.pb').write_bytes(b'no graph at all')
    other = tf.GraphDef(node=[tf.NodeDef(name='other', op='NoOp')])
    (tmp_path / 'other.pb').write_bytes(other.SerializeToString())
    for name, message in (
        ('none', r'none\.pb.*No such file'),
        ('damaged', r'damaged\.pb.*not a binary GraphDef'),
        ('other', "'input:0'"),
    ):
        with pytest.raises(GraphError, match=message):
            load(str(tmp_path / f'{name}.pb'))


def test_models_take_turns_and_warm_up_does_not_count():
    calls = []
    now = [0.0]
    costs = {'slow': 0.004, 'fast': 0.001}

    def model(name):
        def call(inputs):
            calls.append(name)
            # The first call of each is very slow, one later call too.
            now[0] += 10.0 if len(calls) in (1, 2, 5) else costs[name]

        return call

    found = median_latencies(
        {name: model(name) for name in costs},
        np.zeros([1]),
        runs=3,
        warm_up=1,
        clock=lambda: now[0],
    )

    assert calls == ['slow', 'fast'] * 4
    assert found == pytest.approx({'slow': 4.0, 'fast': 1.0})
