from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import indices


def rows(build):
    with tf.Graph().as_default() as graph:
        build(tf.placeholder(tf.int32, [None, 4], 'ids'))
    return indices.rows_of_inputs(graph.as_graph_def())


@pytest.mark.parametrize(
    ('build', 'expected'),
    [
        (lambda ids: tf.gather(tf.ones([9, 2]), ids), {'ids': 9}),
        (lambda ids: tf.gather(tf.ones([9, 2]), ids, axis=-1), {'ids': 2}),
        (lambda ids: tf.gather(tf.ones([9, 2]), tf.reshape(ids, [-1])), {'ids': 9}),
        (lambda ids: [tf.gather(tf.ones([n]), ids) for n in (9, 3)], {'ids': 3}),
        (lambda ids: tf.gather(ids, [0]), {}),
        (lambda ids: ids + 1, {}),
    ],
)
def test_the_smallest_table_behind_an_input_counts(build, expected):
    assert rows(build) == expected
