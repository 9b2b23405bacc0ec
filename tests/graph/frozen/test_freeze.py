from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph import importing, lint
from tf1pruning.graph.frozen import freeze as freeze_lib
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.surgery import verify

IMAGE = np.random.RandomState(0).standard_normal([2, 8, 8, 3])


def arrays_of(model, graph):
    arrays = networks.random_arrays(graph)
    return {v.node: arrays[v.key] for v in model.variables}


def session_answers(graph, prefix):
    with graph.as_default(), tf.Session() as session:
        tf.train.Saver().restore(session, prefix)
        return session.run('output:0', {'input:0': IMAGE})


@pytest.mark.parametrize('resource', [False, True])
def test_a_frozen_graph_gives_the_answers_of_the_session(resource, tmp_path):
    graph = networks.inverted_residual_net(resource=resource)
    expected = session_answers(graph, networks.save(graph, tmp_path / 'm'))
    model = networks.model_of(graph)

    frozen = freeze(model, arrays_of(model, graph))

    found = verify.run(frozen, ['output'], {'input': IMAGE})[0]
    # TensorFlow folds constants before it runs: the last bit may differ.
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize('resource', [False, True])
def test_a_frozen_graph_has_no_variables_and_no_reads(resource):
    graph = networks.inverted_residual_net(resource=resource)
    model = networks.model_of(graph)

    frozen = freeze(model, arrays_of(model, graph))

    ops = {node.op for node in frozen.node}
    assert ops.isdisjoint(
        ('VariableV2', 'VarHandleOp', 'ReadVariableOp', 'IdentityN', 'Assign')
    )
    kernel = 'net/Conv/conv/kernel'
    assert not any(node.name == f'{kernel}/read' for node in frozen.node)
    assert lint.check(frozen, {'output': (None, 5)}) is None


@pytest.mark.parametrize('resource', [False, True])
def test_an_output_that_reads_a_variable_keeps_its_name(resource):
    with tf.Graph().as_default() as graph:
        with tf.variable_scope('net', use_resource=resource):
            w = tf.get_variable('w', [2])
        x = tf.placeholder(tf.float32, [2], 'input')
        tf.add(x, w, name='output')
        read = w.value().op.name
    model = networks.model_of(graph, ['output', read])

    frozen = freeze(model, {'net/w': np.array([1.0, 2.0], np.float32)})

    found = verify.run(frozen, ['output', read], {'input': [10.0, 10.0]})
    assert [array.tolist() for array in found] == [[11.0, 12.0], [1.0, 2.0]]


def test_an_output_that_is_a_final_identity_keeps_its_name():
    graph = networks.inverted_residual_net()
    model = networks.model_of(graph)

    frozen = freeze(model, arrays_of(model, graph))

    assert frozen.node[-1].name == 'output'
    assert frozen.node[-1].op == 'Identity'


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', 'i4', 'i8'])
@pytest.mark.parametrize('resource', [False, True])
def test_values_of_every_type_are_kept_bit_by_bit(dtype, resource):
    value = np.array([[1, 2, 3], [4, 5, 6]], dtype).T
    with tf.Graph().as_default() as graph:
        with tf.variable_scope('', use_resource=resource):
            w = tf.get_variable('w', initializer=value)
        tf.add(tf.placeholder(w.dtype.base_dtype, [], 'input'), w, name='output')
    model = networks.model_of(graph)

    frozen = freeze(model, {'w': value})

    with tf.Session(graph=importing.import_graph(frozen)) as session:
        found = session.run('output:0', {'input:0': 0})
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


def test_the_model_is_not_changed():
    graph = networks.inverted_residual_net()
    model = networks.model_of(graph)
    before = model.graph_def.SerializeToString(deterministic=True)

    freeze(model, arrays_of(model, graph))

    assert model.graph_def.SerializeToString(deterministic=True) == before


def test_weights_beyond_the_limit_of_a_protobuf_are_refused(monkeypatch):
    graph = networks.inverted_residual_net()
    model = networks.model_of(graph)
    monkeypatch.setattr(freeze_lib, 'MAX_PROTO_BYTES', 1000)

    with pytest.raises(GraphError, match=r'2 GB.* as a SavedModel') as refused:
        freeze(model, arrays_of(model, graph))

    assert refused.value.options == ('formats', 'verify')


def test_a_frozen_graph_is_written_as_a_whole(tmp_path):
    graph = networks.inverted_residual_net()
    model = networks.model_of(graph)
    frozen = freeze(model, arrays_of(model, graph))
    path = tmp_path / 'model.pb'

    size = freeze_lib.write_frozen(str(path), frozen)

    assert size == path.stat().st_size
    assert tf.GraphDef.FromString(path.read_bytes()) == frozen
    assert os.listdir(tmp_path) == ['model.pb']


def test_a_variable_that_is_read_twice_is_one_constant():
    with tf.Graph().as_default() as graph:
        with tf.variable_scope('', use_resource=True):
            weights = tf.get_variable('weights', [3, 3])
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        x = tf.matmul(x, weights.read_value())
        tf.matmul(x, weights.read_value(), name='output')
    model = networks.model_of(graph)

    frozen = freeze(model, arrays_of(model, graph))

    assert [node.name for node in frozen.node if node.op == 'Const'] == ['weights']


@pytest.mark.parametrize('resource', [False, True])
def test_rows_of_a_table_are_looked_up_in_its_constant(resource):
    with tf.Graph().as_default() as graph:
        ids = tf.placeholder(tf.int32, [None], 'input')
        with tf.variable_scope('', use_resource=resource):
            table = tf.get_variable('table', [7, 3])
        tf.identity(tf.nn.embedding_lookup(table, ids), 'output')
    model = networks.model_of(graph)
    arrays = arrays_of(model, graph)

    frozen = freeze(model, arrays)

    found = verify.run(frozen, ['output'], {'input': np.array([6, 0, 2])})[0]
    np.testing.assert_array_equal(found, arrays['table'][[6, 0, 2]])


def test_the_derivative_of_another_process_is_forgotten():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        tf.identity(tf.nn.swish(x), name='output')
    frozen = freeze(networks.model_of(graph), {})
    with importing.import_graph(frozen).as_default() as imported, tf.Session() as run:
        x, y = (imported.get_tensor_by_name(f'{n}:0') for n in ('input', 'output'))
        found = run.run(tf.gradients(y, x)[0], {x: [[0, 1, -2]]})

    share = 1 / (1 + np.exp([0, -1.0, 2]))
    expected = share * (1 + np.array([0, 1, -2]) * (1 - share))
    np.testing.assert_allclose(found, [expected], rtol=1e-5)
