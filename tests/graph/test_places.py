"""Places at nodes that are gone are gone, too, wherever a graph is cut or read."""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.graph import importing
from tf1pruning.graph.inference import forward
from tf1pruning.graph.meta_graphs import complete


def averaged_graph():
    """A network whose weights are read through their moving averages."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        average = tf.train.ExponentialMovingAverage(0.9)

        def getter(getter, *args, **options):
            variable = getter(*args, **options)
            shadow = average.average(variable)
            return variable if shadow is None else shadow

        with tf.variable_scope('net'):
            tf.layers.dense(x, 4, name='layer')
        average.apply(tf.trainable_variables())
        with tf.variable_scope('net', reuse=True, custom_getter=getter):
            y = tf.layers.dense(x, 4, name='layer')
        tf.identity(y, name='output')
    return graph


def classes(graph_def):
    return {n.name: list(n.attr['_class'].list.s) for n in graph_def.node}


def test_an_inference_graph_names_no_node_that_it_lacks():
    graph_def = networks.model_of(averaged_graph()).graph_def

    assert 'net/layer/kernel' not in {node.name for node in graph_def.node}
    importing.import_graph(graph_def)
    own = 'net/layer/kernel/ExponentialMovingAverage'
    assert classes(graph_def)[f'{own}/read'] in ([], [f'loc:@{own}'.encode()])
    assert classes(graph_def)[own] == []


def test_a_forward_graph_names_no_node_that_it_lacks():
    meta_graph = tf.train.export_meta_graph(graph=averaged_graph())

    found = forward.forward_graph(meta_graph, ['output']).model.graph_def

    graph = importing.import_graph(found)
    assert {op.name for op in graph.get_operations()} == {n.name for n in found.node}


def test_a_file_that_names_nodes_that_it_lacks_is_mended():
    meta_graph = tf.MetaGraphDef()
    graph_def = meta_graph.graph_def
    x = graph_def.node.add(name='x', op='Placeholder')
    x.attr['dtype'].type = tf.float32.as_datatype_enum
    y = graph_def.node.add(name='y', op='Identity', input=['x'])
    y.attr['T'].type = tf.float32.as_datatype_enum
    y.attr['_class'].list.s.extend([b'loc:@gone', b'loc:@x', b'other', b'loc:@\xff'])
    with pytest.raises(ValueError, match='unknown node'), tf.Graph().as_default():
        tf.import_graph_def(graph_def)

    complete.complete(meta_graph)

    assert classes(graph_def)['y'] == [b'loc:@x', b'other']
    importing.import_graph(graph_def)
