"""Readers of groups against the moments of patches and of flattened activations."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.algebra.elimination import eliminate
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels.trace import trace
from tf1pruning.errors import DataError
from tf1pruning.graph.inference import derivation
from tf1pruning.recovery import readers
from tf1pruning.scoring import runnable
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT

X = np.random.RandomState(1).normal(size=[800, 6, 6, 2]).astype(np.float32)


def net():
    """conv `a`, depthwise, conv `b` of stride 2, flatten, dense `c`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], 'x')
        y = tf.nn.relu(networks.conv(x, 5, 3, 'a'))
        with tf.variable_scope('depthwise'):
            y = tf.nn.relu(networks.depthwise(y), name='read')
        y = networks.conv(y, 4, 3, 'b', strides=2)
        y = tf.nn.relu(tf.reshape(y, [-1, 36]), name='read_by_c')
        tf.layers.dense(y, 3, name='c')
        tf.identity(graph.get_tensor_by_name('c/BiasAdd:0'), name='output')
    return graph


def gathered(graph, data=X, batches=None):
    meta_graph = tf.train.export_meta_graph(graph=graph)
    found = trace(derivation.derive(meta_graph, ['output']))
    groups = [g for g in groups_lib.find_groups(found) if not g.frozen]
    batches = batches or Batches.of_arrays({'x': data}, 300)
    subject = runnable.of_network(meta_graph, found.model, STRICT)
    arrays = networks.random_arrays(graph)
    return readers.readers_of(found, groups, subject, arrays, batches)


def observed(graph, name, data=X):
    arrays = networks.random_arrays(graph)
    with graph.as_default(), tf.Session() as session:
        variables = tf.global_variables()
        values = {v.initializer.inputs[1]: arrays[v.op.name] for v in variables}
        session.run([v.initializer for v in variables], values)
        return session.run(f'{name}:0', {'x:0': data}), arrays


def covariance(rows):
    return np.cov(rows.astype(np.float64), rowvar=False, bias=True)


def test_a_convolution_is_read_as_patches_and_a_depthwise_one_is_passed():
    graph = net()
    (reader,) = gathered(graph)['a']

    x, arrays = observed(graph, 'depthwise/read')
    with tf.Graph().as_default(), tf.Session() as session:
        options = [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], 'SAME'
        patches = session.run(tf.image.extract_patches(x, *options))
    rows, kernel = patches.reshape(-1, 45), arrays['b/kernel'].reshape(45, 4)
    np.testing.assert_allclose(reader.gram, covariance(rows), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(reader.kernel, kernel)
    assert reader.entries[3].tolist() == list(range(3, 45, 5))
    assert reader.weight == pytest.approx(1 / (rows @ kernel).var(axis=0).sum(), 1e-3)


def test_a_flattened_image_has_its_positions_as_inputs_of_a_channel():
    graph = net()
    (reader,) = gathered(graph)['b']

    x, arrays = observed(graph, 'read_by_c')
    np.testing.assert_allclose(reader.gram, covariance(x), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(reader.kernel, arrays['c/kernel'])
    assert reader.entries[1].tolist() == list(range(1, 36, 4))


@pytest.mark.parametrize(('inputs', 'examples'), [(20, 800), (2048, 8)])
def test_where_inputs_are_many_or_rows_few_channels_are_taken_together(
    inputs, examples, monkeypatch
):
    graph, data = net(), X[:examples]
    monkeypatch.setattr(readers, '_INPUTS', inputs)
    found = gathered(graph, data)

    (reader,) = found['b']
    x, arrays = observed(graph, 'read_by_c', data)
    expected = covariance(x.reshape(-1, 4))
    np.testing.assert_allclose(reader.gram, expected, rtol=1e-4, atol=1e-6)
    kernel = arrays['c/kernel'].reshape(9, 4, 3).transpose(1, 0, 2).reshape(4, 27)
    np.testing.assert_array_equal(reader.kernel, kernel)
    assert reader.entries.tolist() == [[0], [1], [2], [3]]
    (of_taps,) = found['a']
    assert (of_taps.gram.shape, of_taps.kernel.shape) == ((5, 5), (5, 36))


def test_a_small_memory_takes_more_passes_and_finds_the_same(monkeypatch):
    whole = gathered(net())
    monkeypatch.setattr(readers, '_MEMORY', 1)
    parts = gathered(net())

    for name, (reader,) in whole.items():
        np.testing.assert_array_equal(reader.gram, parts[name][0].gram)


def test_filters_stand_in_where_no_layer_that_reads_can_be_observed():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], 'x')
        y = networks.conv(networks.conv(x, 5, 3, 'a'), 4, 1, 'b')
        tf.reduce_sum(y, -1, name='output')

    (reader,) = gathered(graph)['b']

    kernel = networks.random_arrays(graph)['b/kernel'][0, 0].T
    np.testing.assert_array_equal(reader.kernel, kernel)
    norms = np.square(kernel).sum(axis=1)
    found = eliminate([reader])
    assert found.order.tolist() == norms.argsort().tolist()
    assert found.losses[-1] == pytest.approx(1, rel=0.01)


def test_examples_of_several_sizes_are_refused():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None, None, 2], 'x')
        y = networks.conv(networks.conv(x, 5, 3, 'a'), 4, 1, 'b')
        tf.reduce_mean(y, [1, 2], name='output')
    parts = [{'x': X[:4]}, {'x': X[:4, :3]}]

    with pytest.raises(DataError, match='Batch 2 has examples of other sizes'):
        gathered(graph, batches=Batches(lambda: parts))
