from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.errors import DataError, OptionError
from tf1pruning.surgery import mean_replacement, verify

GONE = (1, 4)
MEANS = np.linspace(-1, 2, 8)
READER = 'b/Conv2D'


def replaced(net, mode='block', means=MEANS):
    plan = net.plan({'a': GONE}, mode)
    return mean_replacement.replace(
        net.trace, net.groups, net.arrays, plan, {READER: means}
    )


def with_size(size, reader):
    """conv `a` and a reader on an image of constant color, so that means are exact."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, size, size, 3], 'input')
        tf.identity(reader(nets.conv('a', 8)(x)), name='output')
    return nets.net_of(graph)


def test_a_bias_takes_up_the_means_of_what_goes():
    net = nets.net_of(nets.two_convs())

    found = replaced(net)

    kernel = net.arrays['b/kernel'][0, 0]
    expected = net.arrays['b/bias'] + MEANS[1] * kernel[1] + MEANS[4] * kernel[4]
    assert list(found.arrays) == ['b/bias']
    np.testing.assert_allclose(found.arrays['b/bias'], expected, rtol=1e-6)
    assert found.without == ()


def test_a_moving_mean_is_lowered_where_there_is_no_bias():
    reader = (nets.conv('b', 3, use_bias=False), nets.batch_norm('b_bn'))
    net = nets.net_of(nets.two_convs(tf.nn.relu, *reader))

    found = replaced(net)

    kernel = net.arrays['b/kernel'][0, 0]
    old = net.arrays['b_bn/moving_mean']
    expected = old - MEANS[1] * kernel[1] - MEANS[4] * kernel[4]
    np.testing.assert_allclose(found.arrays['b_bn/moving_mean'], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ('size', 'stride', 'dilation'),
    [(5, 1, 1), (4, 2, 1), (5, 2, 1), (2, 1, 1), (5, 1, 2)],
)
def test_the_mean_answer_stays_at_padded_borders(size, stride, dilation):
    def reader(x):
        kernel = tf.get_variable('b/kernel', [3, 3, 8, 3])
        y = tf.nn.conv2d(x, kernel, stride, 'SAME', dilations=dilation, name=READER)
        return tf.nn.bias_add(y, tf.get_variable('b/bias', [3]))

    net = with_size(size, reader)
    image = np.tile(np.array([0.3, -0.7, 1.1], np.float32), [1, size, size, 1])
    hidden = image[0, 0, 0] @ net.arrays['a/kernel'][0, 0] + net.arrays['a/bias']

    found = replaced(net, means=hidden)

    soft = dataclasses.replace(net, arrays={**net.arrays, **found.arrays})
    pruned = soft.soft_pruned(net.plan({'a': GONE}))
    before, after = (
        verify.run(n.frozen(), ['output'], {'input': image})[0].mean(axis=(0, 1, 2))
        for n in (net, pruned)
    )
    zeros = net.soft_pruned(net.plan({'a': GONE})).frozen()
    plain = verify.run(zeros, ['output'], {'input': image})[0].mean(axis=(0, 1, 2))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-6)
    assert np.abs(plain - before).max() > 1e-2


def test_borders_of_channels_first_lie_along_its_own_axes():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3, 4, 2], 'input')
        options = {'padding': 'same', 'data_format': 'channels_first'}
        x = tf.layers.conv2d(x, 8, 1, name='a', **options)
        tf.identity(tf.layers.conv2d(x, 3, 3, name='b', **options), name='output')
    net = nets.net_of(graph)
    net.arrays['b/kernel'][:] = 1
    net.arrays['b/bias'][:] = 0

    found = replaced(net, means=np.ones(8))

    # Taps reach (0.75 + 1 + 0.75) * (0.5 + 1 + 0.5) = 5 of 4 x 2 pixels, in 2 channels.
    np.testing.assert_allclose(found.arrays['b/bias'], [10, 10, 10])


def test_every_tap_of_a_volume_counts_in_full():
    def reader(x):
        kernel = tf.get_variable('b/kernel', [1, 3, 3, 8, 3])
        y = tf.nn.conv3d(tf.expand_dims(x, 1), kernel, [1] * 5, 'SAME', name=READER)
        return tf.nn.bias_add(y, tf.get_variable('b/bias', [3]))

    net = with_size(5, reader)

    found = replaced(net)

    sums = net.arrays['b/kernel'].sum(axis=(0, 1, 2))
    expected = net.arrays['b/bias'] + MEANS[1] * sums[1] + MEANS[4] * sums[4]
    np.testing.assert_allclose(found.arrays['b/bias'], expected, rtol=1e-5)


def test_a_depthwise_layer_between_takes_nothing_up():
    net = with_size(5, lambda x: nets.conv('b', 3)(networks.depthwise(x)))

    found = replaced(net)

    assert (list(found.arrays), found.without) == (['b/bias'], ())


def test_a_reader_whose_kernel_is_scaled_is_named():
    def reader(x):
        kernel = 2.0 * tf.get_variable('b/kernel', [1, 1, 8, 3])
        y = tf.nn.conv2d(x, kernel, 1, 'SAME', name=READER)
        return tf.nn.bias_add(y, tf.get_variable('b/bias', [3]))

    found = replaced(with_size(5, reader))

    assert (found.arrays, found.without) == ({}, (READER,))


def test_what_is_replaced_is_stripped_exactly():
    net = nets.net_of(nets.two_convs())
    found = replaced(net)
    folded = dataclasses.replace(net, arrays={**net.arrays, **found.arrays})

    outcome = nets.prune_and_strip(folded, net.plan({'a': GONE}))

    assert outcome.soft_to_stripped <= 1e-5
    assert outcome.stripped.arrays['b/kernel'].shape == (1, 1, 6, 3)


def test_a_reader_without_a_bias_is_named():
    net = nets.net_of(nets.two_convs(tf.nn.relu, nets.conv('b', 3, use_bias=False)))

    found = replaced(net)

    assert (found.arrays, found.without) == ({}, (READER,))


def test_the_other_mode_is_refused():
    with pytest.raises(OptionError, match="needs mode 'block'; the mode is"):
        replaced(nets.net_of(nets.two_convs()), mode='filter')


def test_means_of_another_model_are_refused():
    net = nets.net_of(nets.two_convs())

    with pytest.raises(DataError, match=r"'b/Conv2D' reads 8 channels.*7 means"):
        replaced(net, means=MEANS[:7])
    with pytest.raises(DataError, match='there are no means of them'):
        mean_replacement.replace(
            net.trace, net.groups, net.arrays, net.plan({'a': GONE}), {}
        )
