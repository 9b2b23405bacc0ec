from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import importing, lint


@pytest.fixture
def graph_def():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        tf.matmul(x, tf.zeros([2, 3], name='w'), name='output')
    return graph.as_graph_def()


def node(graph_def, name):
    return next(n for n in graph_def.node if n.name == name)


@pytest.mark.parametrize('shape', [(None, 3), (4, 3), None])
def test_a_whole_graph_passes(graph_def, shape):
    assert lint.check(graph_def, {'output': shape}) is None


@pytest.mark.parametrize('missing', ['gone', 'gone:1', '^gone'])
def test_an_input_that_does_not_exist_is_named(graph_def, missing):
    node(graph_def, 'output').input.append(missing)

    with pytest.raises(GraphError) as caught:
        lint.check(graph_def, {})

    assert str(caught.value) == f"Node 'output' reads {missing!r}, which is gone."


def test_a_repeated_name_is_named(graph_def):
    graph_def.node.add().CopyFrom(node(graph_def, 'w'))

    with pytest.raises(GraphError, match="two nodes named 'w'"):
        lint.check(graph_def, {})


def test_sizes_that_do_not_fit_are_an_error(graph_def):
    value = tf.make_tensor_proto([[0.0] * 3] * 5)
    node(graph_def, 'w').attr['value'].tensor.CopyFrom(value)

    with pytest.raises(GraphError, match=r'Dimensions must be equal.*2 and 5'):
        lint.check(graph_def, {})


@pytest.mark.parametrize('shape', [(None, 4), (None, 3, 1), ()])
def test_an_output_of_another_shape_is_named_with_both(graph_def, shape):
    with pytest.raises(GraphError) as caught:
        lint.check(graph_def, {'output': shape})

    assert str(caught.value) == (
        f"Output 'output' had shape {shape} and now has (None, 3)."
    )


def test_lookup_tables_are_refused_by_name():
    with tf.Graph().as_default() as graph:
        values = tf.lookup.KeyValueTensorInitializer([0, 1], [2, 3])
        table = tf.lookup.StaticHashTable(values, 4, name='labels')
        table.lookup(tf.placeholder(tf.int32, [2]), name='output')

    with pytest.raises(GraphError, match=r"tables 'labels', whose contents"):
        lint.check_no_tables(graph.as_graph_def())


def test_a_graph_that_was_imported_says_the_shapes(graph_def):
    imported = importing.import_graph(graph_def)

    lint.check(graph_def, {'output': (None, 3)}, imported)
    with pytest.raises(GraphError, match='output'):
        lint.check(graph_def, {'output': (None, 4)}, imported)
