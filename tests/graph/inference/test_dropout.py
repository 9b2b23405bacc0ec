from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import dropout
from tf1pruning.graph.view import GraphView


def dropout_of_1_15(x, rate):
    return tf.nn.dropout(x, rate=rate)


def dropout_up_to_1_12(x, rate):
    """As `tf.nn.dropout(x, keep_prob)` was written then."""
    keep = 1.0 - rate
    mask = tf.floor(keep + tf.random_uniform(tf.shape(x)))
    return tf.realdiv(x, keep) * mask


def dropout_of_2(x, rate):
    """As `tf.nn.dropout` is written in TensorFlow 2."""
    kept = tf.random_uniform(tf.shape(x)) >= rate
    return tf.where_v2(kept, x * (1.0 / (1.0 - rate)), 0.0)


def dropout_by_layer(x, rate):
    return tf.layers.dropout(x, rate, training=True)


def noise_shape(x, rate):
    return tf.nn.dropout(x, rate=rate, noise_shape=[1, 4])


def rate_in_the_graph(x, rate):
    return tf.nn.dropout(x, rate=tf.placeholder_with_default(rate, []))


def keep_prob_as_placeholder(x, rate):
    keep = tf.placeholder(tf.float32, name='keep_prob')
    return tf.nn.dropout(x, keep_prob=keep)


def rate_as_placeholder(x, rate):
    return tf.nn.dropout(x, rate=tf.placeholder(tf.float32, name='rate'))


def keep_prob_up_to_1_12(x, rate):
    keep = tf.placeholder(tf.float32, name='keep_prob')
    mask = tf.floor(keep + tf.random_uniform(tf.shape(x)))
    return tf.realdiv(x, keep) * mask


def keep_prob_up_to_0_12(x, rate):
    keep = tf.placeholder(tf.float32, name='keep_prob')
    mask = tf.floor(keep + tf.random_uniform(tf.shape(x)))
    return tf.raw_ops.Div(x=x, y=keep) * mask


def keep_prob_up_to_0_11(x, rate):
    keep = tf.placeholder(tf.float32, name='keep_prob')
    mask = tf.floor(keep + tf.random_uniform(tf.shape(x)))
    return x * tf.raw_ops.Inv(x=keep) * mask


def keras_dropout(x, rate):
    return tf.keras.layers.Dropout(rate)(x, training=True)


def keras_noise_shape(x, rate):
    return tf.keras.layers.Dropout(rate, noise_shape=(1, 4))(x, training=True)


def keep_prob(x, rate):
    return tf.nn.dropout(x, keep_prob=1 - rate)


FORMS = (
    dropout_of_1_15,
    dropout_of_2,
    dropout_up_to_1_12,
    dropout_by_layer,
    noise_shape,
    rate_in_the_graph,
    keep_prob_as_placeholder,
    rate_as_placeholder,
    keep_prob_up_to_1_12,
    keep_prob_up_to_0_12,
    keep_prob_up_to_0_11,
    keras_dropout,
    keras_noise_shape,
    keep_prob,
)


def end_of(build):
    """View of what `build` makes of `[n, 4]`, and the node in which it ends."""
    with tf.Graph().as_default() as graph:
        x = tf.nn.relu(tf.placeholder(tf.float32, [None, 4]), name='features')
        made = build(x).op
        while made.type == 'Identity':
            made = made.inputs[0].op
        view = GraphView(graph.as_graph_def(add_shapes=True))
    return view, view.node(made.name)


def mask(shape=(4,)):
    """1 with the probability 0.5."""
    return tf.cast(tf.random_uniform(shape) >= 0.5, tf.float32)


@pytest.mark.parametrize('form', FORMS)
def test_what_enters_a_dropout_is_found(form):
    view, node = end_of(lambda x: form(x, 0.3))

    assert dropout.ending_in(view, node).input == ('features', 0)


@pytest.mark.parametrize(
    'build',
    [
        lambda x: x * 2.0,
        lambda x: x * tf.sigmoid(x),
        lambda x: x * tf.random_uniform([4]),
        lambda x: x + tf.cast(tf.random_uniform([4]) > 0.5, tf.float32),
        lambda x: x * tf.floor(x),
        lambda x: x * tf.cast(x > 0.5, tf.float32),
        lambda x: x * mask(),
        lambda x: x * 3.0 * mask(),
        lambda x: x * tf.get_variable('gate', []) * mask(),
        lambda x: x / 0.7 * mask(),
        lambda x: tf.where_v2(tf.random_uniform([4]) >= 0.5, x * 3.0, 0.0),
        lambda x: tf.where_v2(tf.random_uniform([4]) >= 0.5, x * 2.0, 1.0),
        lambda x: tf.where_v2(tf.random_uniform([4]) >= 0.5, 0.0, x * 2.0),
        lambda x: tf.where_v2(x >= 0.5, x * 2.0, 0.0),
        lambda x: x * tf.floor(tf.sigmoid(x) + tf.random_uniform([4])),
        lambda x: x / tf.tanh(x) * tf.floor(tf.sigmoid(x) + tf.random_uniform([4])),
        lambda x: tf.reduce_sum(x, 0, keepdims=True) * 2.0 * mask([3, 4]),
        lambda x: (
            x * 2.0 * tf.cast(tf.random_uniform([4]) >= tf.random_uniform([4]), x.dtype)
        ),
    ],
)
def test_another_product_is_no_dropout(build):
    view, node = end_of(build)

    assert dropout.ending_in(view, node) is None


def test_spatial_dropout_goes():
    def build(x):
        return tf.keras.layers.SpatialDropout1D(0.3)(x[:, tf.newaxis], training=True)

    view, node = end_of(build)

    assert dropout.ending_in(view, node).input.node.startswith('strided_slice')


def test_an_input_of_unknown_shape_is_no_scale():
    def build(x):
        x = tf.placeholder(tf.float32, name='any')
        return tf.nn.dropout(x * 2.0, rate=tf.placeholder(tf.float32, name='rate'))

    view, node = end_of(build)

    assert dropout.ending_in(view, node).input == ('mul', 0)


def test_a_mask_that_is_always_one_leaves_the_scale_before_it():
    view, node = end_of(lambda x: (x / 10.0) * tf.floor(tf.random_uniform([4]) + 1.0))

    assert dropout.ending_in(view, node).input == ('truediv', 0)


@pytest.mark.parametrize(
    'build',
    [
        lambda x: mask() * (2.0 * x),
        lambda x: x / 0.5 * tf.cast(tf.random_uniform([4]) < 0.5, tf.float32),
        lambda x: x / 0.8 * tf.cast(tf.random_uniform([4]) < 0.8, tf.float32),
        lambda x: (
            x
            * tf.reciprocal(tf.constant(0.8))
            * tf.floor(0.8 + tf.random_uniform([tf.shape(x)[0], 1]))
        ),
    ],
)
def test_a_dropout_by_hand_is_one(build):
    view, node = end_of(build)

    assert dropout.ending_in(view, node).input == ('features', 0)


def test_a_dropout_of_half_floats_is_one():
    view, node = end_of(
        lambda x: tf.nn.dropout(tf.cast(x, tf.float16, name='half'), rate=0.3)
    )

    assert dropout.ending_in(view, node).input == ('half', 0)
