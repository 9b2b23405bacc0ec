from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph.inference import forward
from tf1pruning.graph.rewrite import Resizing


def forward_of(graph, **options):
    meta_graph = tf.train.export_meta_graph(graph=graph)
    return forward.forward_graph(meta_graph, ['output'], **options)


@pytest.mark.parametrize('resource', [False, True])
def test_optimizer_pipeline_and_saver_stay_behind(resource):
    graph = networks.inverted_residual_net(
        is_training=True, optimizer='adam', pipeline=True, resource=resource
    )

    found = forward_of(graph)

    ops = {node.op for node in found.model.graph_def.node}
    assert found.model.inputs == ('input',)
    assert not any('Adam' in v.node for v in found.model.variables)
    assert not {op for op in ops if 'Apply' in op or 'Iterator' in op or 'Save' in op}
    # Dropout and batch norm are those of the training.
    assert 'RandomUniform' in ops
    norms = [n for n in found.model.graph_def.node if n.op.startswith('FusedBatchNorm')]
    assert all(node.attr['is_training'].b for node in norms)


def test_update_ops_keep_what_they_wait_for():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        count = tf.get_variable('count', [], trainable=False, use_resource=True)
        with tf.control_dependencies([tf.assign_add(count, 1.0)]):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.no_op('update'))
        tf.layers.dense(x, 2, name='dense')
        tf.identity(x * 2.0, 'output')

    found = forward_of(graph)

    assert found.collections[tf.GraphKeys.UPDATE_OPS] == ('update',)
    names = {node.name for node in found.model.graph_def.node}
    assert {'count', 'update'} < names
    assert 'dense/kernel' not in names
    assert any(n.op == 'AssignAddVariableOp' for n in found.model.graph_def.node)


def test_the_meta_graph_imports_and_names_inputs_and_outputs():
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')

    meta_graph = forward.build_meta_graph(forward_of(graph))

    with tf.Graph().as_default() as imported, tf.Session() as session:
        tf.train.import_meta_graph(meta_graph)
        session.run(tf.global_variables_initializer())
        images = np.zeros([2, 8, 8, 3])
        assert session.run('output:0', {'input:0': images}).shape == (2, 5)
        assert imported.get_collection(forward.INPUTS)[0].name == 'input'
        assert imported.get_collection(forward.OUTPUTS)[0].name == 'output'
        assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 8


@pytest.mark.parametrize('inverted', [False, True])
def test_the_meta_graph_says_what_a_training_flag_is_in_inference(inverted):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        flag = tf.placeholder(tf.bool, None, 'flag')
        training = tf.logical_not(flag) if inverted else flag
        mirror = tf.placeholder(tf.bool, [], 'mirror')
        x = tf.layers.batch_normalization(x, training=training)
        tf.identity(tf.cond(mirror, lambda: -x, lambda: x), 'output')

    found = forward.build_meta_graph(forward_of(graph)).collection_def

    key, other = forward.FALSE_FLAGS, forward.TRUE_FLAGS
    if inverted:
        key, other = other, key
    assert found[key].node_list.value == ['flag']
    assert other not in found


def test_a_pipeline_can_be_cut_behind_its_preprocessing():
    with tf.Graph().as_default() as graph:
        dataset = tf.data.Dataset.from_tensors(np.zeros([2, 3], np.float32))
        images = tf.data.make_one_shot_iterator(dataset).get_next()
        scaled = tf.multiply(images, 2.0, name='scaled')
        tf.layers.dense(scaled, 2, name='dense')
        tf.identity(graph.get_tensor_by_name('dense/BiasAdd:0'), 'output')

    found = forward_of(graph, input_map={'scaled:0': 'features'})

    assert found.model.inputs == ('features',)
    assert 'scaled' not in {node.name for node in found.model.graph_def.node}


def test_nodes_that_only_the_inference_has_are_named():
    found = forward_of(networks.inverted_residual_net(is_training=True))

    with pytest.raises(GraphError, match="it lacks 'elsewhere/kernel'"):
        forward.resize(found, Resizing({'elsewhere/kernel': (2, 2)}))


def test_sizes_that_do_not_fit_together_are_refused():
    found = forward_of(networks.inverted_residual_net(is_training=True))
    kernel = f'{networks.BLOCK}/expand/conv/kernel'

    with pytest.raises(GraphError, match='cannot be stripped: TensorFlow refuses'):
        forward.resize(found, Resizing({kernel: (1, 1, 8, 20)}))


@pytest.mark.parametrize('resource', [False, True])
def test_partitioned_variables_are_put_together(resource):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        halves = tf.fixed_size_partitioner(2, axis=1)
        with tf.variable_scope('', partitioner=halves, use_resource=resource):
            x = tf.matmul(x, tf.get_variable('kernel', [3, 4]))
        tf.layers.batch_normalization(x, training=True, name='bn')
        tf.identity(graph.get_tensor_by_name('bn/batchnorm/add_1:0'), 'output')

    found = forward_of(graph)

    shapes = {v.node: v.shape for v in found.model.variables}
    assert shapes['kernel'] == (3, 4)
    assert not any('part_' in name for name in shapes)
    narrower = {n: tuple(2 if s == 4 else s for s in shapes[n]) for n in shapes}
    stripped = forward.resize(found, Resizing(narrower)).model
    assert {v.node: v.shape for v in stripped.variables} == narrower
