"""Graphs of quantization-aware training, written op by op as TF 1 writes them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.surgery import verify

WIDE = 6


def quantized(x, scope, delayed):
    """A fake quantization whose range follows the tensor, from a certain step on."""
    with tf.variable_scope(scope):
        low, high = (tf.get_variable(n, [], trainable=False) for n in ('min', 'max'))
        if delayed is None:
            return tf.quantization.fake_quant_with_min_max_vars(x, low, high)
        ranges = (
            tf.assign(low, tf.minimum(tf.reduce_min(x), 0)),
            tf.assign(high, tf.maximum(tf.reduce_max(x), 0)),
        )
        rounded = tf.quantization.fake_quant_with_min_max_vars(x, *ranges)
        return tf.cond(delayed, lambda: rounded, lambda: x)


def network(training):
    """A layer into which its batch norm is folded, as tf.contrib.quantize does."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        delayed = None
        if training:
            step = tf.get_variable('step', [], tf.int64, trainable=False)
            delayed = tf.identity(tf.assign_add(step, 1)) >= 10
        v = tf.get_variable('a/kernel', [3, 3, 3, WIDE])
        gamma, beta = (tf.get_variable(f'a/{n}', [WIDE]) for n in ('gamma', 'beta'))
        mean, variance = (
            tf.get_variable(f'a/moving_{name}', [WIDE], trainable=False)
            for name in ('mean', 'variance')
        )
        now = (mean, variance)
        if training:
            y = tf.nn.conv2d(x, v, 1, 'SAME')
            _, *now = tf.nn.fused_batch_norm(y, gamma, beta)
            for moving, batch in zip((mean, variance), now):
                tf.assign_sub(moving, 0.1 * (moving - batch))
            count = tf.cast(tf.size(y) / WIDE, tf.float32)
            now[1] = now[1] * ((count - 1) / count)
        scale = gamma * tf.rsqrt(now[1] + 1e-3)
        kernel = quantized(v * scale, 'weights_quant', delayed)
        y = tf.nn.conv2d(x, kernel, 1, 'SAME') + (beta - now[0] * scale)
        y = quantized(tf.nn.relu(y), 'act_quant', delayed)
        tf.identity(networks.conv(y, 2, name='last'), name='output')
    return graph


def answers(graph, feeds):
    model = networks.model_of(graph)
    arrays = networks.random_arrays(graph)
    for scope in ('weights_quant', 'act_quant'):
        arrays[f'{scope}/min'] = np.float32(-2.0)
        arrays[f'{scope}/max'] = np.float32(2.0)
    own = {v.node: arrays[v.key] for v in model.variables}
    return verify.run(freeze.freeze(model, own), ['output'], feeds)[0]


def test_a_training_graph_gives_the_answers_of_its_evaluation_graph():
    feeds = {'input': np.random.RandomState(0).rand(2, 8, 8, 3).astype(np.float32)}

    found = answers(network(training=True), feeds)

    np.testing.assert_array_equal(found, answers(network(training=False), feeds))


def test_the_counter_is_named_and_nothing_of_the_training_is_left():
    model = networks.model_of(network(training=True))

    ops = {node.op for node in model.graph_def.node}
    assert [str(flag) for flag in model.flags] == ['training flag step: True']
    assert ops.isdisjoint(('Assign', 'AssignAdd', 'Merge', 'FusedBatchNormV3', 'Size'))


def test_a_counter_that_nothing_rounded_waits_for_is_still_refused():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        step = tf.get_variable('step', [], tf.int64, trainable=False)
        late = tf.assign_add(step, 1) >= 10
        tf.identity(tf.cond(late, lambda: x, lambda: 2 * x), name='output')
        meta_graph = tf.train.export_meta_graph()

    with pytest.raises(GraphError, match="The outputs need assignments: 'AssignAdd'"):
        derivation.derive(meta_graph, ['output'])
    assert 'AssignAdd' in {op.type for op in graph.get_operations()}
