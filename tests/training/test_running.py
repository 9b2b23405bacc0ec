from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.training import running


def names(graph, fetches, feeds=None):
    args = tf.train.SessionRunArgs(fetches, feeds)
    return {op.name for op in running.needed_ops(graph, args)}


def small_graph():
    """a -> b -> c, and d after b."""
    with tf.Graph().as_default() as graph:
        a = tf.constant(1.0, name='a')
        b = tf.identity(a, 'b')
        tf.identity(b, 'c')
        with tf.control_dependencies([b]):
            tf.no_op('d')
    return graph


def test_inputs_and_control_inputs_run():
    graph = small_graph()

    assert names(graph, 'c:0') == {'a', 'b', 'c'}
    assert names(graph, 'd') == {'a', 'b', 'd'}


def test_fetches_may_be_nested_and_of_any_kind():
    graph = small_graph()
    with graph.as_default():
        sparse = tf.SparseTensor([[0]], tf.identity([1.0], 'values'), [1])
        variable = tf.get_variable('v', [], use_resource=True)
    fetches = {'x': [graph.get_operation_by_name('a')], 'y': (sparse, variable)}

    found = names(graph, fetches)

    assert {'a', 'values', 'v'} <= found
    assert 'b' not in found


def test_what_a_fed_tensor_needs_does_not_run():
    graph = small_graph()

    assert names(graph, 'c:0', {'b:0': 2.0}) == {'c'}


def test_a_fed_composite_tensor_counts_as_its_parts():
    graph = small_graph()
    with graph.as_default():
        fed = tf.sparse_placeholder(tf.float32, name='fed')
        total = tf.identity(tf.sparse_reduce_sum(fed), 'total')
    value = tf.SparseTensorValue([[0]], [1.0], [1])

    assert names(graph, total, {fed: value}).isdisjoint(op.op.name for op in parts(fed))
    assert running.key_of(tf.train.SessionRunArgs(total, {fed: value})) == (
        ('total:0',),
        {part.name for part in parts(fed)},
    )


def parts(sparse):
    return tf.nest.flatten(sparse, expand_composites=True)


def test_calls_that_run_the_same_ops_have_one_key():
    graph = small_graph()
    tensor = graph.get_tensor_by_name('c:0')

    def key(fetches, feeds=None):
        return running.key_of(tf.train.SessionRunArgs(fetches, feeds))

    assert key([tensor]) == key({'loss': 'c:0'})
    assert key([tensor], {'b:0': 1.0}) == key([tensor], {'b:0': 2.0})
    assert len({key([tensor]), key([]), key([tensor], {'b:0': 1.0})}) == 3
