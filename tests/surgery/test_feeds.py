"""Inputs are found on which a network runs, or taken from samples."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError, VerificationError
from tf1pruning.surgery import feeds, verify
from tf1pruning.surgery.feeds import Guess


def frozen(build):
    with tf.Graph().as_default() as graph:
        tf.identity(build(), name='output')
    return graph.as_graph_def()


def placeholder(*shape, dtype=tf.float32, name='input'):
    return tf.placeholder(dtype, shape, name)


def unshaped(name='input'):
    return tf.placeholder(tf.float32, None, name)


def fixed_batch():
    x = placeholder(None, 4, 4, 3)
    return tf.nn.conv2d_transpose(x, tf.ones([3, 3, 5, 3]), [7, 8, 8, 5], 2)


def state_of_fixed_batch():
    x = placeholder(None, 4)
    return tf.matmul(tf.concat([x, tf.zeros([5, 2])], 1), tf.ones([6, 3]))


def one_at_a_time():
    x = placeholder(None, 4)
    with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(x)[0], 1)]):
        return tf.identity(x)


def large_images():
    x = placeholder(None, None, None, 3)
    return tf.nn.avg_pool2d(x, 100, 1, 'VALID')


def images_of_one_size():
    x = tf.nn.avg_pool2d(placeholder(None, None, None, 1), 2, 2, 'VALID')
    return tf.matmul(tf.reshape(x, [tf.shape(x)[0], 196]), tf.ones([196, 2]))


def fixed_length():
    x = placeholder(None, None, 4)
    return tf.add(x, tf.reshape(tf.range(11.0), [1, 11, 1]))


def lengths():
    x = placeholder(None, None, 4)
    sizes = placeholder(None, dtype=tf.int32, name='lengths')
    return tf.reverse_sequence(x, sizes, seq_axis=1)


def batch_as_number():
    x = placeholder(None, 4)
    count = placeholder(dtype=tf.int32, name='batch')
    return tf.concat([x, tf.zeros([count, 2])], 1)


def positive():
    return tf.log(placeholder(None, 4) + 1e-3)


@pytest.mark.parametrize(
    ('build', 'shape'),
    [
        (fixed_batch, (7, 4, 4, 3)),
        (state_of_fixed_batch, (5, 4)),
        (one_at_a_time, (1, 4)),
        (large_images, (2, 128, 128, 3)),
        (images_of_one_size, (2, 28, 28, 1)),
        (fixed_length, (2, 11, 4)),
        (lengths, (2, 64, 4)),
        (batch_as_number, (2, 4)),
        (positive, (2, 4)),
    ],
)
def test_inputs_are_found_on_which_a_network_runs(build, shape):
    graph = frozen(build)

    (found,) = verify.answers_of(graph, ['output'])

    assert found.feeds['input'].shape == shape
    assert np.isfinite(found.values[0]).all()


def layer_of_unshaped():
    return tf.matmul(tf.cast(unshaped() / 255.0, tf.float32), tf.ones([6, 3]))


def turned_layer_of_unshaped():
    return tf.matmul(unshaped(), tf.ones([3, 6]), transpose_b=True)


def convolution_of_unshaped():
    return tf.nn.conv2d(unshaped() - 0.5, tf.ones([3, 3, 4, 2]), 1, 'SAME')


def images_of_unshaped():
    return tf.reshape(unshaped(), [-1, 4, 4, 2])


@pytest.mark.parametrize(
    ('build', 'shape'),
    [
        (layer_of_unshaped, (2, 6)),
        (turned_layer_of_unshaped, (2, 6)),
        (convolution_of_unshaped, (2, 64, 64, 4)),
        (images_of_unshaped, (2, 32)),
    ],
)
def test_an_input_without_a_shape_has_that_which_its_reader_wants(build, shape):
    assert feeds.random_inputs(frozen(build))['input'].shape == shape


def test_the_usual_guess_comes_first_and_the_nearest_next():
    found = list(feeds.guesses(frozen(fixed_batch)))

    assert found[:4] == [Guess(), Guess(positive=True), Guess(batch=7), Guess(batch=1)]
    assert len(found) == len(set(found)) == 6


def wrong_whatever_comes():
    return tf.matmul(placeholder(None, None), tf.reshape(placeholder(None, 5), [5, -1]))


@pytest.mark.parametrize(
    'build',
    [wrong_whatever_comes, lambda: tf.strings.length(tf.placeholder(tf.string, [2]))],
)
def test_a_refusal_names_what_helps(build):
    with pytest.raises(VerificationError, match='samples') as caught:
        verify.answers_of(frozen(lambda: tf.cast(build(), tf.float32)), ['output'])

    assert caught.value.options == ('input_tensors', 'data', 'verify')


def test_samples_are_what_is_run():
    samples = {'input': np.arange(40).reshape([10, 4])}

    (found,) = verify.answers_of(frozen(positive), ['output'], samples=samples)

    np.testing.assert_array_equal(found.feeds['input'], samples['input'][:8])
    assert found.feeds['input'].dtype == np.float32


def test_a_fixed_batch_takes_as_many_samples():
    graph = frozen(lambda: placeholder(3, 4) * 2.0)

    found = feeds.of_samples(graph, {'input': np.ones([5, 4])})

    assert found['input'].shape == (3, 4)


@pytest.mark.parametrize(
    ('samples', 'expected'),
    [
        ({}, "no array for the input 'input'"),
        ({'x': np.ones([2, 4])}, "'x' is for no input; there is 'input'"),
        ({'input': np.ones([2, 5])}, r"'input' has shape \(2, 5\); expected"),
        ({'input': np.float32(1)}, r"'input' has shape \(\); expected"),
    ],
)
def test_samples_that_do_not_fit_are_named(samples, expected):
    with pytest.raises(DataError, match=expected):
        verify.answers_of(frozen(positive), ['output'], samples=samples)
