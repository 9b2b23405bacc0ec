"""Assignments that a network reads: refused, but for ranges of quantization."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.surgery import verify


def graph_of(middle, resource=False):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        w = tf.get_variable('w', [4, 4], use_resource=resource)
        tf.identity(middle(x, w), name='output')
    return graph


def clipped(w):
    return w.assign(tf.clip_by_value(w, -0.1, 0.1))


def read_after(assign):
    def middle(x, w):
        with tf.control_dependencies([assign(w)]):
            return tf.matmul(x, tf.identity(w.read_value()))

    return middle


def grouped(w):
    return tf.group(clipped(w), tf.no_op())


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('assign', [clipped, grouped])
def test_a_weight_that_is_read_after_its_assignment_is_refused(assign, resource):
    graph = graph_of(read_after(assign), resource)

    with pytest.raises(GraphError, match=r"need assignments: '\w+' to 'w'"):
        networks.model_of(graph)


def test_the_value_of_an_assignment_is_refused():
    graph = graph_of(lambda x, w: tf.matmul(x, clipped(w)))

    with pytest.raises(GraphError, match=r"need assignments: 'Assign' to 'w'"):
        networks.model_of(graph)


def counted(x, w):
    steps = tf.get_variable('steps', [], tf.int32, trainable=False)
    with tf.control_dependencies([steps.assign_add(1)]):
        return tf.matmul(x, w)


def followed(x, w):
    """A mean of the input that is followed, and not read but as it was."""
    mean = tf.get_variable('mean', [4], trainable=False)
    update = mean.assign(0.9 * mean + 0.1 * tf.reduce_mean(x, 0))
    with tf.control_dependencies([update]):
        return tf.matmul(x - tf.identity(mean), w)


@pytest.mark.parametrize('middle', [counted, followed])
def test_what_is_only_counted_or_followed_goes(middle):
    model = networks.model_of(graph_of(middle))

    assert not [node.name for node in model.graph_def.node if 'Assign' in node.op]


def quantized(is_training):
    """An activation whose range is followed in training, as TensorFlow writes it."""

    def middle(x, w):
        y = tf.matmul(x, w)
        ends = []
        for name, end in (('low', tf.reduce_min(y)), ('high', tf.reduce_max(y))):
            initial = tf.constant_initializer(-1.5 if name == 'low' else 2.5)
            variable = tf.get_variable(name, [], initializer=initial, trainable=False)
            new = 0.9 * variable + 0.1 * end
            ends.append(tf.assign(variable, new) if is_training else variable)
        return tf.quantization.fake_quant_with_min_max_vars(y, *ends)

    return middle


def test_ranges_of_quantization_are_read_from_their_variables():
    frozen = []
    for is_training in (True, False):
        model = networks.model_of(graph_of(quantized(is_training)))
        arrays = {
            'w': np.arange(16, dtype=np.float32).reshape(4, 4) / 10,
            'low': np.float32(-1.5),
            'high': np.float32(2.5),
        }
        frozen.append(freeze(model, arrays))

    assert verify.compare(*frozen, ('output',)).absolute == 0
