"""Frozen graphs with ops on references still in them are read and run."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests import networks
from tf1pruning.graph import references
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.surgery import verify


def switched_graph(flag):
    """Batch norm that moves its statistics inside a conditional."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6], 'input')
        x = tf.layers.dense(x, 4, name='layer')
        mean = tf.get_variable('mean', [4], trainable=False)

        def train():
            batch = tf.reduce_mean(x, 0)
            move = tf.assign_sub(mean, (mean - batch) * 0.1)
            with tf.control_dependencies([move]):
                return tf.identity(batch)

        tf.subtract(x, tf.cond(flag(), train, lambda: mean.read_value()), name='output')
    return graph


def frozen_carelessly(graph, path):
    """A frozen graph of which only the variables were changed."""
    arrays = networks.random_arrays(graph)
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        if node.op == 'VariableV2':
            array = arrays[node.name]
            value = tf.make_tensor_proto(array)
            node.Clear()
            node.name = next(name for name in arrays if arrays[name] is array)
            node.op = 'Const'
            node.attr['dtype'].type = tf.float32.as_datatype_enum
            node.attr['value'].tensor.CopyFrom(value)
    kept = tf.graph_util.extract_sub_graph(graph_def, ['output'])
    path.write_bytes(kept.SerializeToString())
    return kept


def training_flag():
    return tf.placeholder(tf.bool, [], 'is_training')


def test_reference_switches_of_constants_are_mended(tmp_path):
    graph = switched_graph(training_flag)
    kept = frozen_carelessly(graph, tmp_path / 'frozen.pb')
    assert {'RefSwitch', 'AssignSub'} <= {node.op for node in kept.node}

    model = tp.load(tmp_path / 'frozen.pb', ['output'])

    arrays = networks.random_arrays(graph)
    x = np.ones([2, 6], np.float32)
    frozen = freeze(model.graph, model.arrays())
    (found,) = verify.run(frozen, ['output'], {'input': x})
    expected = x @ arrays['layer/kernel'] + arrays['layer/bias'] - arrays['mean']
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_references_to_variables_stay():
    graph_def = switched_graph(training_flag).as_graph_def()

    assert 'RefSwitch' in {node.op for node in graph_def.node}
    assert references.on_values(graph_def) == set()
    assert references.without_assignments(graph_def) is graph_def


def test_freezing_leaves_no_reference():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        weight = tf.get_variable('weight', [4], use_resource=False)
        switch = tf.raw_ops.RefSwitch(data=weight._ref(), pred=tf.reduce_sum(x) > 0)
        both = tf.raw_ops.Merge(inputs=[switch[0] * 1.0, switch[1] * 2.0])
        tf.add(x, both.output, name='output')
    model = networks.model_of(graph)

    frozen = freeze(model, {'weight': np.arange(4, dtype=np.float32)})

    assert 'RefSwitch' not in {node.op for node in frozen.node}
    (found,) = verify.run(frozen, ['output'], {'input': np.ones([1, 4], np.float32)})
    np.testing.assert_array_equal(found, [[1, 3, 5, 7]])
