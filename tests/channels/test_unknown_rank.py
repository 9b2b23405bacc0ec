"""No rule sees a tensor of unknown rank; what it reaches stays, the rest is free."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import tracing
from tf1pruning.channels import constants
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels.registry import Registry

OPS = {
    'argmax': lambda u: tf.cast(tf.argmax(u, -1), tf.float32),
    'bias': lambda u: tf.nn.bias_add(u, tf.get_variable('bias', [16])),
    'concat': lambda u: tf.concat([u, u], 3),
    'convolution': lambda u: tf.nn.conv2d(
        u, tf.get_variable('kernel', [1, 1, 16, 8]), 1, 'SAME'
    ),
    'fill': lambda u: tf.zeros_like(u) + u,
    'gather': lambda u: tf.gather(u, [0, 2], axis=3),
    'mean': lambda u: tf.reduce_mean(u, [1, -1]),
    'pad': lambda u: tf.pad(u, [[0, 0], [1, 1], [1, 1], [0, 0]]),
    'product': lambda u: tf.matmul(tf.reshape(u, [-1, 16]), tf.ones([16, 8])),
    'slice': lambda u: tf.slice(u, [0, 0, 0, 0], [-1, -1, -1, 4]),
    'split': lambda u: tf.split(u, 2, 3)[0],
    'split into sizes': lambda u: tf.split(u, [4, 12], 3)[0],
    'squeeze': tf.squeeze,
    'squeeze of an axis': lambda u: tf.squeeze(u, [1]),
    'stack': lambda u: tf.stack([u, u], -1),
    'strided slice': lambda u: u[:, :, 0, 1:5],
    'tile': lambda u: tf.tile(u, [1, 1, 1, 2]),
    'transpose': lambda u: tf.transpose(u, [0, 3, 1, 2]),
    'unstack': lambda u: tf.add_n(tf.unstack(u, 16, axis=3)),
}


def every_op_on_an_unknown_tensor(x):
    h = networks.conv(networks.conv(x, 6, name='free'), 16, name='reaching')
    is_known = tf.placeholder_with_default(True, [], 'is_known')
    h = h + tf.cast(is_known, tf.float32)
    u = tf.placeholder_with_default(h, None, 'unknown')
    results = [tf.reduce_sum(op(u)) for op in OPS.values()]
    return tf.reshape(tf.add_n(results), [1, 1])


def test_an_unknown_rank_ends_in_no_bug_and_freezes_what_reaches_it(caplog):
    model = tracing.model_of(every_op_on_an_unknown_tensor)

    trace = trace_lib.trace(model)

    reasons = {g.name: g.reasons for g in groups_lib.find_groups(trace)}
    assert reasons['free'] == ()
    assert "is the default of input 'unknown'" in reasons['reaching']
    assert trace.lost == {'Conv2D': 'an input of unknown rank'}
    assert 'has a bug' not in caplog.text


def test_an_unknown_tensor_and_all_that_is_made_of_it_varies(caplog):
    model = tracing.model_of(every_op_on_an_unknown_tensor)
    arrays = {v.node: np.ones(v.shape) for v in model.variables}

    steps = {s.node.name: s for s in constants.interpret(model, arrays)}

    assert all(np.isnan(value).all() for value in steps['output'].outputs)
    assert steps['unknown'].outputs[0] is constants.UNRANKED
    assert 'has a bug' not in caplog.text


def test_a_value_that_does_not_fit_its_tensor_varies(monkeypatch):
    rules = Registry('constant')
    rules.register('Const', attributes='dtype value')(lambda op, inputs: np.ones([2]))
    rules.register('Neg', attributes='T')(lambda op, inputs: np.ones([4, 1]))
    monkeypatch.setattr(constants, 'RULES', rules)
    model = tracing.model_of(lambda x: x + tf.negative(tf.ones([3]), name='wrong'))

    steps = {s.node.name: s for s in constants.interpret(model, {})}

    np.testing.assert_array_equal(steps['wrong'].outputs[0], [np.nan])
