"""A written meta graph lives on in another process."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks, programs
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.graph import lint
from tf1pruning.graph.meta_graphs import meta_graph

# What any user may do with a checkpoint and its meta graph, without tf1pruning.
USER = """
import json
import sys

import numpy as np
import tensorflow.compat.v1 as tf

prefix, copy, graph = sys.argv[1], sys.argv[2], tf.get_default_graph()
saver = tf.train.import_meta_graph(prefix + '.meta')
output = graph.get_tensor_by_name('output:0')
image = np.random.RandomState(0).standard_normal([2, 8, 8, 3])
feed = {'input:0': image}
loss = tf.reduce_mean(tf.square(output - 1.0))
step = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)
found = {'trainable': len(tf.trainable_variables())}
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    found['initialized'] = float(np.abs(session.run(output, feed)).max())
    saver.restore(session, prefix)
    found['restored'] = session.run(output, feed).tolist()
    saver.save(session, copy)
    before = session.run(loss, feed)
    for _ in range(5):
        session.run(step, feed)
    found['losses'] = [float(before), float(session.run(loss, feed))]
json.dump(found, sys.stdout)
"""


def write(graph, prefix):
    """Checkpoint and rebuilt meta graph of the inference model of `graph`."""
    model = networks.model_of(graph)
    everything = networks.random_arrays(graph)
    arrays = {v.key: everything[v.key] for v in model.variables}
    meta = meta_graph.build_meta_graph(model).SerializeToString()
    return writer.write_checkpoint(str(prefix), ArraysInMemory(arrays), meta)


def expected_answers(graph, prefix):
    image = np.random.RandomState(0).standard_normal([2, 8, 8, 3])
    with graph.as_default(), tf.Session() as session:
        tf.train.Saver().restore(session, prefix)
        return session.run('output:0', {'input:0': image})


@pytest.mark.parametrize('resource', [False, True])
def test_a_fresh_process_imports_restores_saves_and_trains(resource, tmp_path):
    graph = networks.inverted_residual_net(resource=resource)
    prefix = write(graph, tmp_path / 'model.ckpt')
    copy = str(tmp_path / 'copy')

    run = programs.run_code(tmp_path, USER, prefix, copy)

    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout)
    # 7 kernels, 3 biases, 4 batch norms with gamma and beta.
    assert found['trainable'] == 18
    assert found['initialized'] == 0.0
    np.testing.assert_array_equal(
        np.array(found['restored'], np.float32), expected_answers(graph, prefix)
    )
    assert found['losses'][1] < found['losses'][0]
    original, saved = Checkpoint(prefix), Checkpoint(copy)
    assert list(saved) == list(original)
    for name in original:
        np.testing.assert_array_equal(saved[name], original[name])


@pytest.mark.parametrize('resource', [False, True])
def test_a_partitioned_variable_is_restored_and_saved_whole(resource, tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 5], 'input')
        with tf.variable_scope('', use_resource=resource):
            partitioner = tf.fixed_size_partitioner(2, axis=1)
            w = tf.get_variable('w', [5, 3], partitioner=partitioner)
        tf.matmul(x, tf.convert_to_tensor(w), name='output')
    weights = np.arange(15, dtype=np.float32).reshape(5, 3)
    meta = meta_graph.build_meta_graph(networks.model_of(graph))
    prefix = str(tmp_path / 'model.ckpt')
    writer.write_checkpoint(
        prefix, ArraysInMemory({'w': weights}), meta.SerializeToString()
    )

    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(prefix + '.meta')
        saver.restore(session, prefix)
        found = session.run('output:0', {'input:0': np.eye(5)})
        saver.save(session, str(tmp_path / 'copy'))

    np.testing.assert_array_equal(found, weights)
    assert Checkpoint(tmp_path / 'copy').shapes == {'w': (5, 3)}
    np.testing.assert_array_equal(Checkpoint(tmp_path / 'copy')['w'], weights)


def test_a_written_meta_graph_is_whole_and_reads_back(tmp_path):
    graph = networks.inverted_residual_net()
    prefix = write(graph, tmp_path / 'model.ckpt')

    found = meta_graph.read_meta_graph(prefix + '.meta')

    assert lint.check(found.graph_def, {'output': (None, 5)}) is None
    assert sorted(found.collection_def) == [
        'model_variables',
        'trainable_variables',
        'variables',
    ]
    assert found.saver_def.restore_op_name == 'save/restore_all'


def test_a_network_in_a_scope_named_save_gets_a_saver_of_another_name():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2], 'input')
        y = tf.multiply(x, tf.get_variable('save/w', [2]), name='save_1/product')
        tf.identity(y, name='output')

    found = meta_graph.build_meta_graph(networks.model_of(graph))

    assert found.saver_def.restore_op_name == 'save_2/restore_all'
    assert lint.check(found.graph_def, {'output': (2,)}) is None


def test_a_model_without_variables_has_a_meta_graph_without_a_saver():
    with tf.Graph().as_default() as graph:
        tf.nn.relu(tf.placeholder(tf.float32, [2], 'input'), name='output')

    found = meta_graph.build_meta_graph(networks.model_of(graph))

    assert lint.check(found.graph_def, {'output': (2,)}) is None
    assert not found.HasField('saver_def')


def test_the_model_is_not_changed():
    model = networks.model_of(networks.inverted_residual_net(resource=True))
    before = model.graph_def.SerializeToString(deterministic=True)

    meta_graph.build_meta_graph(model)

    assert model.graph_def.SerializeToString(deterministic=True) == before


def test_a_missing_file_says_where_it_comes_from(tmp_path):
    with pytest.raises(GraphError, match=r"No meta graph at '.*none\.meta'.*Saver"):
        meta_graph.read_meta_graph(str(tmp_path / 'none.meta'))


@pytest.mark.parametrize('keep', [0, 1, 1000])
def test_a_truncated_file_is_named(keep, tmp_path):
    prefix = write(networks.inverted_residual_net(), tmp_path / 'model.ckpt')
    path = tmp_path / 'model.ckpt.meta'
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(GraphError, match=r"model\.ckpt\.meta'.*(truncated|no nodes)"):
        meta_graph.read_meta_graph(prefix + '.meta')


def test_a_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / 'notes.meta'
    path.write_text('no protobuf at all')

    with pytest.raises(GraphError, match=r"notes\.meta' is not a meta graph"):
        meta_graph.read_meta_graph(str(path))
