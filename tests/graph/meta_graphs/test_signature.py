from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph.meta_graphs import signature
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

    (found,) = signature.signatures_of(
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

    (found,) = signature.signatures_of(networks.model_of(graph), meta, 'predict')

    assert found == signature.Signature(
        'predict',
        'tensorflow/serving/regress',
        (('x', TensorRef('input', 0)), ('share', TensorRef('keep', 0))),
        (('answer', TensorRef('output', 0)),),
    )


def test_inputs_that_the_model_lacks_are_named():
    graph = graph_with_flag()
    meta = meta_graph(graph, {'x': 'input:0', 'b': 'gone:0', 'a': 'gone:1'}, {})

    (found,) = signature.signatures_of(networks.model_of(graph), meta, 'predict')

    assert found.inputs == (('x', TensorRef('input', 0)),)
    assert found.gone == ('a', 'b')


def test_several_tensors_of_one_node_are_all_kept():
    graph = graph_with_flag()
    meta = meta_graph(graph, {}, {'first': 'parts:0', 'last': 'parts:2'})

    (found,) = signature.signatures_of(
        networks.model_of(graph, ['parts', 'output']), meta, 'predict'
    )

    assert found.inputs == (('input', TensorRef('input', 0)),)
    assert found.outputs == (
        ('first', TensorRef('parts', 0)),
        ('last', TensorRef('parts', 2)),
        ('output', TensorRef('output', 0)),
    )


def two_headed():
    """A graph whose heads have an input each, with a signature for each."""
    with tf.Graph().as_default() as graph:
        for name in ('a', 'b'):
            x = tf.placeholder(tf.float32, [None, 3], f'in_{name}')
            tf.nn.relu(x, f'out_{name}')
    meta = tf.train.export_meta_graph(graph=graph)
    for name in ('a', 'b'):
        found = meta.signature_def[f'head_{name}']
        found.inputs['x'].name = f'in_{name}:0'
        found.outputs['y'].name = f'out_{name}:0'
    meta.signature_def['__saved_model_init_op'].outputs['init'].name = 'init'
    return graph, meta


def test_the_outputs_of_all_signatures_are_meant_or_those_of_one():
    _, meta = two_headed()

    assert signature.outputs_of(meta) == ('out_a', 'out_b')
    assert signature.outputs_of(meta, 'head_b') == ('out_b',)
    with pytest.raises(GraphError, match="no signature 'c'; there is 'head_a'"):
        signature.outputs_of(meta, 'c')
    assert signature.outputs_of(tf.MetaGraphDef()) == ()


def test_each_signature_has_the_inputs_that_its_outputs_need():
    graph, meta = two_headed()
    model = networks.model_of(graph, ['out_a', 'out_b'])

    found = signature.signatures_of(model, meta, 'head_b')

    assert [each.name for each in found] == ['head_b', 'head_a']
    assert found[0].inputs == (('x', TensorRef('in_b', 0)),)
    assert found[1].inputs == (('x', TensorRef('in_a', 0)),)
    assert [line for each in found for line in each.losses()] == []


def test_what_a_signature_loses_is_said():
    graph, meta = two_headed()
    meta.signature_def['head_a'].inputs['z'].name = 'gone:0'
    meta.signature_def['head_a'].outputs['w'].name = 'in_a:0'

    found = signature.signatures_of(networks.model_of(graph, ['out_a']), meta)

    assert [line for each in found for line in each.losses()] == [
        "Outputs of signature 'head_a' that are left out: 'w'.",
        "Inputs of signature 'head_a' that the network does not take: 'z'. It takes "
        "'in_a:0'.",
        "Signature 'head_b' is left out: none of its outputs ('y') is meant.",
    ]


def test_a_meta_graph_has_the_signatures_again():
    graph, meta = two_headed()
    model = networks.model_of(graph, ['out_a', 'out_b'])
    named = signature.signatures_of(model, meta)

    written = signature.meta_graph_of(model, named)

    assert sorted(written.signature_def) == ['head_a', 'head_b']
    assert written.signature_def['head_b'].outputs['y'].name == 'out_b:0'
    assert signature.signatures_of(model, written) == named
