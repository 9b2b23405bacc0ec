"""No chain of nodes is too long, and none is gone through again and again."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph.frozen.constant_folding import fold_constants
from tf1pruning.graph.inference import batch_norm, dropout
from tf1pruning.graph.inference.branches import Resolver
from tf1pruning.graph.meta_graphs import checking
from tf1pruning.graph.view import GraphView
from tf1pruning.names import TensorRef

DEPTH = 10_000
LAST = f'n{DEPTH - 1}'


def chain(first, op, *others):
    """`first`, then n1, n2 ... each of an op on the one before."""
    graph_def = tf.GraphDef(node=[first])
    last = first.name
    for i in range(1, DEPTH):
        graph_def.node.add(name=f'n{i}', op=op, input=[last, *others])
        last = f'n{i}'
    return graph_def


def test_a_flag_decides_through_a_long_chain():
    flag = tf.NodeDef(name='flag', op='Placeholder')
    view = GraphView(chain(flag, 'LogicalNot'))

    assert Resolver(view, {'flag': True}).value(TensorRef(LAST, 0)) is False
    assert Resolver(view, {}).value(TensorRef(LAST, 0)) is None


def test_a_value_that_is_used_twice_at_each_step_is_found_once():
    flag = tf.NodeDef(name='n0', op='Placeholder')
    graph_def = tf.GraphDef(node=[flag])
    for i in range(1, 100):
        graph_def.node.add(name=f'n{i}', op='LogicalAnd', input=[f'n{i - 1}'] * 2)

    found = Resolver(GraphView(graph_def), {'n0': True}).value(TensorRef('n99', 0))

    assert found is True


def test_a_sum_of_many_terms_is_no_dropout():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [4], 'x')
        tf.constant(0.0, name='zero')
        tf.multiply(x, tf.floor(x), name='product')
    graph_def = chain(tf.NodeDef(name='n0', op='Placeholder'), 'Add', 'zero')
    graph_def.node.extend(graph.as_graph_def().node)
    (floor,) = (node for node in graph_def.node if node.op == 'Floor')
    floor.input[0] = LAST
    view = GraphView(graph_def)

    assert dropout.ending_in(view, view.node('product')) is None


def test_a_constant_goes_through_a_long_chain():
    with tf.Graph().as_default() as graph:
        tf.constant(np.ones(3, np.float32), name='first')
    (first,) = graph.as_graph_def().node
    graph_def = chain(first, 'Identity')
    graph_def.node.add(name='output', op='Relu', input=[LAST])

    folded = fold_constants(graph_def, ['output'])

    assert [node.name for node in folded.node] == ['first', 'output']


def test_an_average_that_also_decays_is_its_own():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'x')
        average = tf.get_variable('average', [3], use_resource=False)
        mean = tf.reduce_mean(x, axis=0, name='mean')
        tf.assign_sub(average, (average - mean) * 0.1)
        tf.assign_sub(average, average / 10.0)
        tf.square(x - mean)
    view = GraphView(graph.as_graph_def(add_shapes=True))

    assert batch_norm.average_of(view, TensorRef('mean', 0)) == 'average'


def test_a_row_of_switches_is_followed_once():
    flag = tf.NodeDef(name='flag', op='Placeholder')
    graph_def = tf.GraphDef(node=[flag, tf.NodeDef(name='m0', op='Relu')])
    for i in range(1, DEPTH):
        switch = graph_def.node.add(name=f's{i}', op='Switch')
        switch.input.extend([f'm{i - 1}', 'flag'])
        graph_def.node.add(name=f'm{i}', op='Merge', input=[f's{i}', f's{i}:1'])

    resolver = Resolver(GraphView(graph_def), {'flag': True})

    for i in range(1, DEPTH):
        assert resolver.source(TensorRef(f'm{i}', 0)) == TensorRef('m0', 0)


def test_functions_that_call_twice_are_counted_by_levels():
    meta_graph = tf.MetaGraphDef()
    library = meta_graph.graph_def.library
    for i in range(2000):
        function = library.function.add()
        function.signature.name = f'f{i}'
        for j in range(2 * (i > 0)):
            function.node_def.add(name=f'n{j}', op=f'f{i - 1}')
    meta_graph.graph_def.node.add(name='call', op='f1999')

    with pytest.raises(GraphError, match='more than 63,984 nodes'):
        checking.check(meta_graph)
