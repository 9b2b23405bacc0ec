from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import inference_graph as graph_lib


def meta_graph():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        y = tf.matmul(x, tf.get_variable('w', [2, 3]), name='product')
        with tf.control_dependencies([tf.no_op('hook')]):
            tf.identity(y, name='output')
        tf.nn.relu(y, name='other')
        tf.zeros([2], name='alone')
    return tf.train.export_meta_graph(graph=graph)


def build(*outputs):
    source = meta_graph()
    return graph_lib.build(source.graph_def, outputs, source)


def test_a_model_holds_what_its_outputs_need_inputs_first():
    model = build('output')

    assert [node.name for node in model.graph_def.node] == [
        'input',
        'w',
        'w/read',
        'product',
        'output',
    ]
    assert model.inputs == ('input',)
    assert model.outputs == ('output',)
    assert model.keys() == {'w': 'w'}


def test_control_dependencies_are_gone():
    nodes = {node.name: node for node in build('output').graph_def.node}

    assert list(nodes['output'].input) == ['product']


def test_devices_of_the_training_are_gone():
    source = meta_graph()
    for node in source.graph_def.node:
        node.device = '/job:ps/task:1'

    model = graph_lib.build(source.graph_def, ('output',), source)

    assert {node.device for node in model.graph_def.node} == {''}


def test_outputs_keep_the_order_of_the_user():
    assert build('other', 'output').outputs == ('other', 'output')


def test_the_source_is_not_changed():
    source = meta_graph()
    before = source.SerializeToString(deterministic=True)

    graph_lib.build(source.graph_def, ('output',), source)

    assert source.SerializeToString(deterministic=True) == before


def test_an_output_without_an_input_is_refused():
    with pytest.raises(GraphError, match="Output 'alone' depends on no input"):
        build('alone')


def test_a_model_without_outputs_is_refused():
    with pytest.raises(GraphError, match='A model needs an output'):
        build()


def test_outputs_that_are_missing_are_named():
    model = build('output')

    with pytest.raises(GraphError, match="Not in the graph: 'a', 'b'"):
        graph_lib.InferenceGraph(model.graph_def, ('b',), ('a',), ())
