from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import variables as variables_lib
from tf1pruning.graph.variables import Variable


def find(graph):
    meta_graph = tf.train.export_meta_graph(graph=graph)
    known = variables_lib.definitions(meta_graph)
    found = variables_lib.find_variables(meta_graph.graph_def.node, known, {})
    return {variable.node: variable for variable in found}


@pytest.mark.parametrize('resource', [False, True])
def test_a_variable_is_its_node(resource):
    graph = tf.Graph()
    with graph.as_default(), tf.variable_scope('net', use_resource=resource):
        tf.get_variable('w', [2, 3])
        tf.get_variable('step', [], tf.int64, trainable=False)

    assert find(graph) == {
        'net/w': Variable(
            node='net/w',
            key='net/w',
            shape=(2, 3),
            dtype=tf.float32,
            is_resource=resource,
            trainable=True,
            full_shape=(2, 3),
        ),
        'net/step': Variable(
            node='net/step',
            key='net/step',
            shape=(),
            dtype=tf.int64,
            is_resource=resource,
            trainable=False,
            full_shape=(),
        ),
    }


@pytest.mark.parametrize('resource', [False, True])
def test_parts_of_a_partitioned_variable_share_its_key(resource):
    graph = tf.Graph()
    with graph.as_default(), tf.variable_scope('net', use_resource=resource):
        partitioner = tf.fixed_size_partitioner(2, axis=1)
        tf.get_variable('w', [2, 5], partitioner=partitioner)

    first, second = find(graph).values()

    assert (first.node, second.node) == ('net/w/part_0', 'net/w/part_1')
    assert first.key == second.key == 'net/w'
    assert (first.shape, second.shape) == ((2, 3), (2, 2))
    assert (first.offset, second.offset) == ((0, 0), (0, 3))
    assert first.full_shape == second.full_shape == (2, 5)


def test_a_variable_without_collections_is_found_and_not_trainable():
    with tf.Graph().as_default() as graph:
        tf.get_variable('w', [2])
        graph.clear_collection(tf.GraphKeys.GLOBAL_VARIABLES)
        graph.clear_collection(tf.GraphKeys.TRAINABLE_VARIABLES)

    assert not find(graph)['w'].trainable
    assert find(graph)['w'].key == 'w'


def test_a_variable_of_unknown_size_says_minus_one():
    with tf.Graph().as_default() as graph:
        start = tf.placeholder(tf.float32, [None, 3])
        tf.get_variable('w', initializer=start, validate_shape=False)

    meta_graph = tf.train.export_meta_graph(graph=graph)
    node = next(n for n in meta_graph.graph_def.node if n.name == 'w')
    node.attr['shape'].shape.unknown_rank = False
    del node.attr['shape'].shape.dim[:]
    node.attr['shape'].shape.dim.add(size=-1)

    known = variables_lib.definitions(meta_graph)
    assert variables_lib.find_variables([node], known, {})[0].shape == (-1,)


def test_definitions_are_found_by_node_name():
    with tf.Graph().as_default() as graph:
        tf.get_variable('net/read', [2])
        meta_graph = tf.train.export_meta_graph(graph=graph)

    found = variables_lib.definitions(meta_graph).protos

    assert {name: d.initializer_name for name, d in found.items()} == {
        'net/read': 'net/read/Assign'
    }


def test_a_damaged_definition_is_an_error_that_names_the_collection():
    meta_graph = tf.MetaGraphDef()
    meta_graph.collection_def['variables'].bytes_list.value.append(b'\x0a\xff')

    with pytest.raises(GraphError, match=r"'variables' of the meta graph .* damaged"):
        variables_lib.definitions(meta_graph)
