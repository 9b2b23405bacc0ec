from __future__ import annotations

import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.graph import signature
from tf1pruning.names import TensorRef


def graph_with_flag():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        keep = tf.placeholder_with_default(1.0, [], 'keep')
        tf.identity(tf.split(x * keep, 3, 1, name='parts')[1], name='output')
    return graph


def meta_graph(graph, inputs, outputs):
    result = tf.train.export_meta_graph(graph=graph)
    found = result.signature_def['predict']
    found.method_name = 'tensorflow/serving/regress'
    for target, names in ((found.inputs, inputs), (found.outputs, outputs)):
        for key, tensor in names.items():
            target[key].name = tensor
    return result


def test_without_a_signature_tensors_are_called_like_their_nodes():
    graph = graph_with_flag()

    found = signature.signature_of(
        networks.model_of(graph), tf.train.export_meta_graph(graph=graph)
    )

    assert found == signature.Signature(
        'serving_default',
        'tensorflow/serving/predict',
        (('input', TensorRef('input', 0)),),
        (('output', TensorRef('output', 0)),),
    )


def test_the_names_of_a_signature_are_kept():
    graph = graph_with_flag()
    meta = meta_graph(
        graph, {'x': 'input:0', 'share': 'keep:0'}, {'answer': 'output:0'}
    )

    found = signature.signature_of(networks.model_of(graph), meta, 'predict')

    assert found == signature.Signature(
        'predict',
        'tensorflow/serving/regress',
        (('x', TensorRef('input', 0)), ('share', TensorRef('keep', 0))),
        (('answer', TensorRef('output', 0)),),
    )


def test_inputs_that_the_model_lacks_are_named():
    graph = graph_with_flag()
    meta = meta_graph(graph, {'x': 'input:0', 'b': 'gone:0', 'a': 'gone:1'}, {})

    found = signature.signature_of(networks.model_of(graph), meta, 'predict')

    assert found.inputs == (('x', TensorRef('input', 0)),)
    assert found.gone == ('a', 'b')


def test_several_tensors_of_one_node_are_all_kept():
    graph = graph_with_flag()
    meta = meta_graph(graph, {}, {'first': 'parts:0', 'last': 'parts:2'})

    found = signature.signature_of(
        networks.model_of(graph, ['parts', 'output']), meta, 'predict'
    )

    assert found.inputs == (('input', TensorRef('input', 0)),)
    assert found.outputs == (
        ('first', TensorRef('parts', 0)),
        ('last', TensorRef('parts', 2)),
        ('output', TensorRef('output', 0)),
    )
