from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import importing
from tf1pruning.graph.importing import UnknownOpError
from tf1pruning.graph.view import GraphView
from tf1pruning.names import TensorRef


def with_unknown():
    """input -> conv-like reshape -> Fancy (two outputs) -> Fancier -> output."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2, 4], 'input')
        x = tf.reshape(x, [8], 'known')
        a, b = tf.unstack(tf.reshape(x, [2, 4]), name='fancy')
        tf.identity(tf.add(a, b, name='fancier'), name='output')
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        if node.name in ('fancy', 'fancier'):
            node.op = node.name.capitalize()
    return graph_def


def test_a_graph_that_tensorflow_refuses_is_an_error_with_its_words():
    graph_def = tf.GraphDef()
    graph_def.node.add(name='a', op='Identity', input=['gone'])

    with pytest.raises(GraphError, match=r'TensorFlow refuses the graph.*gone'):
        importing.import_graph(graph_def)


def test_an_unknown_op_is_named_with_its_nodes():
    with pytest.raises(
        UnknownOpError, match=r"op 'Fanc.*' of 'fanc.*Without verification"
    ) as caught:
        importing.import_graph(with_unknown())

    assert caught.value.options == ('verify',)


def test_shapes_are_known_up_to_an_unknown_op():
    graph_def = with_unknown()
    before = graph_def.SerializeToString(deterministic=True)
    view = GraphView(graph_def)

    assert view.shape(TensorRef('known', 0)) == (8,)
    assert view.shape(TensorRef('fancy', 0)) is None
    assert view.shape(TensorRef('fancy', 1)) is None
    assert view.shape(TensorRef('output', 0)) is None
    assert graph_def.SerializeToString(deterministic=True) == before


def test_an_op_that_is_not_pure_is_not_computed_for_shapes(tmp_path):
    path = tmp_path / 'sizes'
    path.write_bytes(np.int32([2, 3]).tobytes())
    with tf.Graph().as_default() as graph:
        sizes = tf.decode_raw(tf.io.read_file(str(path)), tf.int32)
        tf.reshape(tf.placeholder(tf.float32, [6]), sizes, name='output')
    graph_def = graph.as_graph_def()

    read = importing.import_graph(graph_def).get_tensor_by_name('output:0')
    _, graph = importing.import_for_shapes(graph_def)
    unread = graph.get_tensor_by_name('output:0')

    assert read.shape.as_list() == [2, 3]
    assert unread.shape.ndims is None


def test_a_damaged_graph_is_refused_beside_unknown_ops():
    graph_def = with_unknown()
    graph_def.node.add(name='a', op='Identity', input=['gone'])

    with pytest.raises(GraphError, match=r'refuses the graph.*gone'):
        importing.import_for_shapes(graph_def)


def test_an_import_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(importing, '_SECONDS', 0.01)

    with pytest.raises(GraphError, match='takes more than 0 seconds to infer'):
        importing.in_time(tf.GraphDef(), lambda: time.sleep(0.2))


def test_an_import_that_takes_too_much_memory_is_refused():
    with pytest.raises(GraphError, match='more memory to import the graph than there'):
        importing.in_time(tf.GraphDef(), lambda: np.ones(1 << 50, np.uint8))
