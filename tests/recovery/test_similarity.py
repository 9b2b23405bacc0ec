"""The layer that hurts is named by its signal to noise ratio."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels import trace as trace_lib
from tf1pruning.graph.frozen import freeze
from tf1pruning.recovery import similarity
from tf1pruning.scoring.batches import Batches

X = np.random.RandomState(0).randn(12, 4, 4, 2).astype(np.float32)
DATA = Batches.of_arrays({'input': X}, 5)
A = np.random.RandomState(1).randn(1, 1, 2, 3).astype(np.float32)
D = np.random.RandomState(2).randn(1, 1, 3, 2).astype(np.float32)
B = np.random.RandomState(3).randn(1, 1, 6, 2).astype(np.float32)


@pytest.fixture(scope='module')
def trace():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 2], 'input')
        y = tf.nn.conv2d(x, tf.get_variable('a', [1, 1, 2, 3]), 1, 'SAME', name='first')
        d = tf.get_variable('d', [1, 1, 3, 2])
        y = tf.nn.depthwise_conv2d(y, d, [1, 1, 1, 1], 'SAME', name='middle')
        b = tf.get_variable('b', [1, 1, 6, 2])
        y = tf.nn.conv2d(y, b, 1, 'SAME', name='last')
        tf.identity(y, 'output')
    return trace_lib.trace(networks.model_of(graph))


def found(trace, weights, gone=None):
    arrays = {'a': A, 'd': D, 'b': B}
    frozen = freeze.freeze(trace.model, arrays)
    gone = np.zeros(trace.count, bool) if gone is None else gone
    return similarity.similarities(trace, frozen, weights, gone, DATA)


def test_noise_is_measured_against_the_deviation_of_the_layer(trace):
    noisy = found(trace, {'b': 1.1 * B})
    y = np.repeat(X @ A[0, 0], 2, axis=-1) * D[0, 0].ravel() @ B[0, 0]
    rows = y.reshape(-1, 2)
    power = np.square(rows - rows.mean(axis=0)).sum()
    expected = 10 * np.log10(power / (0.01 * np.square(rows).sum()))
    assert noisy == {'last': pytest.approx(expected, abs=1e-3)}


def test_channels_that_are_gone_do_not_count(trace):
    gone = np.zeros(trace.count, bool)
    gone[trace.weights['a'][3][1]] = True
    weights = {'a': A * [1, 0, 1], 'd': D, 'b': B}

    decibels = found(trace, weights, gone)

    assert decibels['first'] == decibels['middle'] == 200
    assert decibels['last'] < 20


def test_equal_networks_have_nothing_to_say(trace):
    assert found(trace, {}) == {}
