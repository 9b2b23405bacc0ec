from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from demo.networks import layers
from demo.networks.layers import InvertedResidual, Layers, Scaled


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def shapes():
    return {v.op.name: v.shape.as_list() for v in tf.global_variables()}


@pytest.mark.parametrize(
    ('function', 'expected'),
    [
        (layers.hard_sigmoid, [0.0, 0.0, 0.5, 1.0, 1.0]),
        (layers.hard_swish, [0.0, 0.0, 0.0, 3.0, 6.0]),
        (layers.linear, [-6.0, -3.0, 0.0, 3.0, 6.0]),
    ],
)
def test_activations(function, expected, graph):
    with tf.Session() as session:
        found = session.run(function(tf.constant([-6.0, -3.0, 0.0, 3.0, 6.0])))

    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ('channels', 'expected'), [(3, 8), (24, 24), (12, 16), (33, 32), (44.8, 48)]
)
def test_make_divisible(channels, expected):
    assert layers.make_divisible(channels, 8) == expected


@pytest.mark.parametrize(
    ('fields', 'message'),
    [({'classes': 0}, 'classes is 0'), ({'width': -1}, 'width is -1')],
)
def test_bad_settings_say_what_is_wrong(fields, message):
    with pytest.raises(ValueError, match=message):
        Scaled(**fields)


def test_width_scales_to_a_multiple():
    assert Scaled(width=0.5).scaled(20) == 16
    assert Scaled(width=0.5).scaled(20, multiple=2) == 10


def test_inverted_residual_has_the_documented_variables(graph):
    images = tf.placeholder(tf.float32, [None, 4, 4, 8])
    block = InvertedResidual(expanded=16, channels=8, kernel=5, squeezed=2)
    net = layers.inverted_residual(Layers(), 'block', images, block)

    assert net.op.name == 'block/add'
    kernels = {k: v for k, v in shapes().items() if 'BatchNorm' not in k}
    assert kernels == {
        'block/expand/weights': [1, 1, 8, 16],
        'block/depthwise/depthwise_weights': [5, 5, 16, 1],
        'block/squeeze_excite/Conv/weights': [1, 1, 16, 2],
        'block/squeeze_excite/Conv/biases': [2],
        'block/squeeze_excite/Conv_1/weights': [1, 1, 2, 16],
        'block/squeeze_excite/Conv_1/biases': [16],
        'block/project/weights': [1, 1, 16, 8],
    }


def test_a_layer_in_a_reusing_scope_is_the_same_layer(graph):
    images = tf.placeholder(tf.float32, [None, 4, 4, 3])
    with tf.variable_scope('head', reuse=tf.AUTO_REUSE):
        layers.biased_conv('conv', images, 2)
        layers.biased_conv('conv', images, 2)

    assert shapes() == {'head/conv/weights': [1, 1, 3, 2], 'head/conv/biases': [2]}


def test_dense_layer_without_bias_has_one_variable(graph):
    layers.dense('fc', tf.placeholder(tf.float32, [None, 6]), 4, bias=False)

    assert shapes() == {'fc/weights': [6, 4]}
