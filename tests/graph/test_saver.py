"""Which key of the checkpoint a variable is restored from."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.graph import saver as saver_lib
from tf1pruning.graph import variables as variables_lib
from tf1pruning.models import reading
from tf1pruning.steps import exporting, stripping


def variables(resource=False, **options):
    w = tf.get_variable('net/w', [2, 4], use_resource=resource)
    b = tf.get_variable('net/b', [3], use_resource=resource, **options)
    return {'old/w': w, 'net/b': b}


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('sharded', [False, True])
@pytest.mark.parametrize('reshape', [False, True])
def test_a_key_is_found_for_each_variable(resource, sharded, reshape):
    with tf.Graph().as_default():
        keys = variables(resource)
        saver = tf.train.Saver(keys, sharded=sharded, reshape=reshape)
        meta_graph = saver.export_meta_graph()

    found = saver_lib.restored_keys(meta_graph)

    assert found == {'net/w': 'old/w', 'net/b': 'net/b'}


def test_parts_have_the_key_of_the_whole():
    with tf.Graph().as_default():
        whole = tf.get_variable('w', [4], partitioner=tf.fixed_size_partitioner(2))
        meta_graph = tf.train.Saver({'key': whole}).export_meta_graph()

    found = saver_lib.restored_keys(meta_graph)

    assert found == {'w/part_0': 'key', 'w/part_1': 'key'}


def test_only_the_saver_of_the_meta_graph_counts():
    with tf.Graph().as_default():
        keys = variables()
        tf.train.Saver({'other': keys['old/w']})
        meta_graph = tf.train.Saver(keys).export_meta_graph()

    assert saver_lib.restored_keys(meta_graph)['net/w'] == 'old/w'


def test_without_a_saver_nothing_is_known():
    with tf.Graph().as_default() as graph:
        variables()
        meta_graph = tf.train.export_meta_graph(graph=graph)
        meta_graph.ClearField('saver_def')

    assert saver_lib.restored_keys(meta_graph) == {}


def saved(folder, rename):
    """Convolutions a and b, saved under other names; a has zero filters 1 and 4."""
    prefix = str(folder / 'model.ckpt')
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.nn.relu(networks.conv(x, 6, name='a'))
        tf.identity(networks.conv(x, 6, name='b'), name='output')
        session.run(tf.global_variables_initializer())
        found = {v.op.name: v for v in tf.global_variables()}
        kernel = session.run(found['a/kernel'])
        kernel[..., [1, 4]] = 0
        found['a/kernel'].load(kernel, session)
        saver = tf.train.Saver({rename(name): v for name, v in found.items()})
        saver.save(session, prefix)
        image = np.ones([1, 8, 8, 3], np.float32)
        answers = session.run(graph.get_tensor_by_name('output:0'), {'input:0': image})
    return prefix, image, answers


def test_a_network_saved_under_other_names_is_stripped_exactly(tmp_path):
    prefix, image, expected = saved(tmp_path, lambda name: f'net/{name}')
    source = reading.load(prefix, ('output',))
    folder = str(tmp_path / 'out')
    result = stripping.strip_model(source)

    exporting.export(result, folder)

    stripped = f'{folder}/stripped.ckpt'
    assert Checkpoint(stripped).shapes['net/a/kernel'] == (1, 1, 3, 4)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f'{stripped}.meta').restore(session, stripped)
        found = session.run('output:0', {'input:0': image})
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_swapped_names_are_refused(tmp_path):
    swapped = {'a/bias': 'b/bias', 'b/bias': 'a/bias'}
    prefix, _, _ = saved(tmp_path, lambda name: swapped.get(name, name))

    with pytest.raises(GraphError, match=r"'a/bias' under 'b/bias'; 'b/bias' under"):
        reading.load(prefix, ('output',))


def test_copies_are_restored_from_the_key_of_the_first():
    with tf.Graph().as_default():
        first = tf.get_variable('w', [2])
        tf.get_variable('w/copy', [2])
        meta_graph = tf.train.Saver({'w': first}).export_meta_graph()
    nodes = meta_graph.graph_def.node
    nodes.add(name='save/copy', op='Assign', input=['w/copy', 'save/RestoreV2'])
    next(n for n in nodes if n.name == 'save/restore_all').input.append('^save/copy')
    known = variables_lib.definitions(meta_graph)

    found = variables_lib.find_variables(nodes, known, {})

    assert {v.node: v.key for v in found} == {'w': 'w', 'w/copy': 'w'}
