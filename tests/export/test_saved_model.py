from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.export import made
from tf1pruning.errors import VerificationError
from tf1pruning.export.format import Network
from tf1pruning.export.saved_model import SavedModelFormat
from tf1pruning.graph.meta_graphs import signature
from tf1pruning.names import TensorRef

NAMED = signature.Signature(
    'classify',
    'tensorflow/serving/predict',
    (('image', TensorRef('input', 0)),),
    (('logits', TensorRef('output', 0)),),
)


def loaded_signature(folder, name):
    with tf.Graph().as_default(), tf.Session() as session:
        path = os.path.join(folder, SavedModelFormat.file)
        graph = tf.saved_model.loader.load(session, ['serve'], path)
        return graph.signature_def[name]


def test_it_loads_and_gives_the_answers_of_the_network(tmp_path):
    network = made.inverted_residual()
    SavedModelFormat().write(str(tmp_path), network, '')

    found = SavedModelFormat().answers(
        str(tmp_path), ['output'], {'input': made.IMAGE}
    )[0]

    expected = made.answers(network)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_files_are_those_of_a_saved_model(tmp_path):
    SavedModelFormat().write(str(tmp_path), made.inverted_residual(), '')

    found = [
        os.path.relpath(os.path.join(base, name), str(tmp_path))
        for base, _, names in os.walk(str(tmp_path))
        for name in names
    ]
    assert sorted(found) == [
        'saved_model/saved_model.pb',
        'saved_model/variables/variables.data-00000-of-00001',
        'saved_model/variables/variables.index',
    ]


def test_the_signature_has_names_types_and_shapes(tmp_path):
    network = made.inverted_residual()
    named = Network(network.graph, network.arrays, network.frozen, (NAMED,))

    SavedModelFormat().write(str(tmp_path), named, '')

    found = loaded_signature(str(tmp_path), 'classify')
    assert found.method_name == 'tensorflow/serving/predict'
    assert found.inputs['image'].name == 'input:0'
    assert found.inputs['image'].dtype == tf.float32.as_datatype_enum
    assert [d.size for d in found.inputs['image'].tensor_shape.dim] == [-1, 8, 8, 3]
    assert found.outputs['logits'].name == 'output:0'
    assert [d.size for d in found.outputs['logits'].tensor_shape.dim] == [-1, 5]


def test_a_network_without_variables_is_one_too(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        tf.multiply(x, 2.0, name='output')

    SavedModelFormat().write(str(tmp_path), made.network(graph), '')

    found = SavedModelFormat().answers(
        str(tmp_path), ['output'], {'input': made.IMAGE}
    )[0]
    np.testing.assert_array_equal(found, made.IMAGE * 2)


def test_resource_variables_are_restored(tmp_path):
    network = made.network(networks.inverted_residual_net(resource=True))
    SavedModelFormat().write(str(tmp_path), network, '')

    found = SavedModelFormat().answers(
        str(tmp_path), ['output'], {'input': made.IMAGE}
    )[0]

    np.testing.assert_allclose(found, made.answers(network), rtol=1e-5, atol=1e-6)


def test_a_missing_file_does_not_pass(tmp_path):
    with pytest.raises(VerificationError, match='does not load and run'):
        SavedModelFormat().answers(str(tmp_path), ['output'], {'input': made.IMAGE})
