from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests.fuzzing import cases, graphs
from tf1pruning.graph import importing
from tf1pruning.graph.meta_graphs import checking

FIRST, CASES, CHUNK = 500, 500, 50


@pytest.mark.parametrize('first', range(FIRST, FIRST + CASES, CHUNK))
def test_a_mutated_graph_ends_in_a_result_or_in_a_clear_error(first, tmp_path):
    path = str(tmp_path / 'model.meta')

    found = [cases.outcome(seed, path) for seed in range(first, first + CHUNK)]

    assert all(message.strip() for message in found)
    # Some mutations do no harm, and many do.
    assert 2 < sum(message == 'ok' for message in found) < CHUNK - 10


def test_the_graphs_are_whole_before_they_are_mutated():
    for source, _ in cases.sources():
        checking.check(source)
        importing.import_graph(source.graph_def)
    assert len(cases.sources()) == len(graphs.ALL) == 10
    assert isinstance(source, tf.MetaGraphDef)
