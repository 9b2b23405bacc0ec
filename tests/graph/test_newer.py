"""Graphs of a newer TensorFlow lose what only that knows, or are refused."""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

import tf1pruning as tp
from tests import networks
from tf1pruning import versions
from tf1pruning.graph import newer as newer_lib
from tf1pruning.graph import op_defs
from tf1pruning.graph.meta_graphs import saved_model, taking

NOTHING = attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue())


def meta_graph():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'x')
        net = tf.nn.relu(networks.batch_norm(networks.conv(x, 4)))
        depthwise = tf.get_variable('depthwise', [3, 3, 4, 1])
        net = tf.nn.depthwise_conv2d(net, depthwise, [1, 1, 1, 1], 'SAME')
        net = tf.matmul(tf.reduce_mean(net, [1, 2]), tf.get_variable('w', [4, 2]))
        tf.identity(net, 'output')
        return tf.train.export_meta_graph(graph=graph)


def newer(graph):
    """The same as a newer TensorFlow writes it."""
    for node in graph.graph_def.node:
        if node.op.startswith('FusedBatchNorm'):
            node.attr['exponential_avg_factor'].f = 1.0
        if node.op == 'DepthwiseConv2dNative':
            node.attr['explicit_paddings'].CopyFrom(NOTHING)
        if node.op == 'MatMul':
            node.attr['grad_a'].b = node.attr['grad_b'].b = False
        if node.op == 'VarHandleOp':
            node.attr['allowed_devices'].CopyFrom(NOTHING)
            node.attr['debug_name'].s = b'w/'
    return graph


def test_attributes_at_their_default_go():
    found, expected = newer(meta_graph()), meta_graph()
    with_attribute = [n for n in found.graph_def.node if 'grad_a' in n.attr]

    taking.take(found)

    taking.take(expected)
    assert with_attribute
    assert found.graph_def == expected.graph_def
    assert tf.import_graph_def(found.graph_def, name='') is None


def test_a_frozen_graph_of_a_newer_version_is_read(tmp_path):
    graph_def = newer(meta_graph()).graph_def
    path = tmp_path / 'frozen.pb'
    path.write_bytes(graph_def.SerializeToString())

    found = saved_model.read_frozen(str(path))

    assert not any('grad_a' in node.attr for node in found.graph_def.node)


@pytest.mark.skipif(versions.IS_2, reason='TensorFlow 2 knows these attributes')
@pytest.mark.parametrize(
    'op, name, value',
    [
        ('FusedBatchNorm', 'exponential_avg_factor', attr_value_pb2.AttrValue(f=0.5)),
        ('MatMul', 'grad_b', attr_value_pb2.AttrValue(b=True)),
    ],
)
def test_another_value_is_named(op, name, value):
    graph = meta_graph()
    (node,) = (n for n in graph.graph_def.node if n.op.startswith(op))
    node.attr[name].CopyFrom(value)
    if op == 'FusedBatchNorm':
        node.attr['is_training'].b = True

    with pytest.raises(tp.GraphError, match=f'{node.name}.*{name!r} of a newer'):
        taking.take(graph)


def test_moving_statistics_that_are_only_read_have_no_factor():
    graph = meta_graph()
    (node,) = (n for n in graph.graph_def.node if n.op.startswith('FusedBatchNorm'))
    node.attr['exponential_avg_factor'].f = 0.5
    node.attr['is_training'].b = False

    taking.take(graph)

    assert 'exponential_avg_factor' not in node.attr


def test_the_default_is_what_the_file_says():
    graph = meta_graph()
    (node,) = (n for n in graph.graph_def.node if n.op == 'Relu')
    node.attr['slope'].f = 0.0
    (op,) = (o for o in graph.meta_info_def.stripped_op_list.op if o.name == 'Relu')
    op.attr.add(name='slope', type='float').default_value.f = 0.0

    taking.take(graph)

    assert 'slope' not in node.attr
    node.attr['slope'].f = 0.1
    with pytest.raises(tp.GraphError, match="'slope'"):
        taking.take(graph)


def test_a_function_loses_them_too():
    graph = meta_graph()
    function = graph.graph_def.library.function.add()
    function.signature.name = 'f'
    function.signature.input_arg.add(name='x', type=tf.float32.as_datatype_enum)
    function.signature.output_arg.add(name='y', type=tf.float32.as_datatype_enum)
    node = function.node_def.add(name='m', op='MatMul', input=['x', 'x'])
    node.attr['T'].type = tf.float32.as_datatype_enum
    node.attr['grad_a'].b = False
    function.ret['y'] = 'm:product:0'
    unused = graph.graph_def.library.function.add()
    unused.CopyFrom(function)
    unused.signature.name = 'unused'
    unused.node_def[0].attr['grad_a'].b = True
    graph.graph_def.node.add(name='called', op='f', input=['x'])

    taking.take(graph)

    (kept,) = graph.graph_def.library.function
    assert kept.signature.name == 'f'
    assert 'grad_a' not in kept.node_def[0].attr


def test_what_came_later_has_these_defaults_there():
    known = op_defs.op_defs(newer_lib.LATER)
    assert set(known) == set(newer_lib.LATER)
    for op, values in newer_lib.LATER.items():
        attributes = {each.name: each for each in known[op].attr}
        if not versions.IS_2:
            assert attributes.keys().isdisjoint(values), op
        for name in attributes.keys() & values.keys():
            assert attributes[name].default_value == values[name], (op, name)


@pytest.mark.parametrize('op', ['TopKV2', 'MaxPool'])
def test_a_graph_is_written_without_what_came_later(op):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'x')
        x = tf.nn.max_pool(networks.conv(x, 4), 2, 2, 'VALID')
        tf.identity(tf.nn.top_k(tf.reduce_mean(x, [1, 2]), 2)[0], 'output')

    model = networks.model_of(graph, ['output'])

    (node,) = (n for n in model.graph_def.node if n.op == op)
    assert newer_lib.LATER[op].keys().isdisjoint(node.attr)
