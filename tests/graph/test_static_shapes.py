"""Shapes that a frozen graph lacks are derived as Python knew them."""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import importing, static_shapes
from tf1pruning.graph.view import GraphView
from tf1pruning.names import TensorRef


def flattened(x):
    return tf.layers.flatten(x)


def flattened_by_a_product(x):
    return tf.reshape(x, tf.stack([-1, tf.reduce_prod(tf.shape(x)[1:])]))


def flattened_after_layers(x):
    y = tf.nn.relu(tf.layers.conv2d(x, 5, 3, strides=2))
    return tf.reshape(tf.layers.max_pooling2d(y, 2, 1), [tf.shape(x)[0], -1])


def dense_of_rank_4(x):
    return tf.layers.dense(x, 7)


def dense_of_rank_3_twice(x):
    y = tf.layers.dense(tf.reshape(x, [-1, 36, 4]), 7)
    return tf.layers.dense(tf.nn.relu(y), 3)


def flattened_outside(x):
    """What tf.nn.softmax did before TF 1.5."""
    last = tf.slice(tf.shape(x), tf.expand_dims(tf.rank(x) - 1, 0), [1])
    y = tf.reshape(x, tf.concat([[-1], last], 0))
    return tf.reshape(tf.nn.softmax(y), tf.shape(x))


def shuffled(x):
    batch, height, width, count = tf.unstack(tf.shape(x))
    y = tf.reshape(x, [batch, height, width, 2, count // 2])
    return tf.reshape(tf.transpose(y, [0, 1, 2, 4, 3]), [batch, height, width, count])


def transposed(x):
    return tf.layers.conv2d_transpose(x, 5, 3, strides=2)


def normalized_by_groups(x):
    shape = tf.shape(x)
    y = tf.reshape(x, [shape[0], 6, 6, 2, -1])
    mean, variance = tf.nn.moments(y, [1, 2, 4], keep_dims=True)
    return tf.reshape((y - mean) * tf.rsqrt(variance + 1e-5), shape)


def behind_a_loop(x):
    flat = tf.layers.flatten(x)
    y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0), [0, flat])[1]
    return tf.reshape(y, [tf.shape(y)[0], -1])


def doubled_batch(x):
    y = tf.concat([x, x], 0)
    return tf.reshape(y, [2 * tf.shape(x)[0], 6, -1])


KNOWN = {
    flattened: (None, 144),
    flattened_by_a_product: (None, 144),
    flattened_after_layers: (None, 5),
    dense_of_rank_4: (None, 6, 6, 7),
    dense_of_rank_3_twice: (None, 36, 3),
    flattened_outside: (None, 6, 6, 4),
    shuffled: (None, 6, 6, 4),
    transposed: (None, 13, 13, 5),
    normalized_by_groups: (None, 6, 6, 4),
}


def graph_def_of(build):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 4], 'input')
        tf.nn.relu(build(x), name='output')
    return graph.as_graph_def()


@pytest.mark.parametrize('build', KNOWN)
def test_the_shape_behind_is_what_python_knew(build):
    view = GraphView(graph_def_of(build))

    assert view.shape(TensorRef('output', 0)) == KNOWN[build]


@pytest.mark.parametrize(
    ('build', 'shape'),
    [(doubled_batch, (None, 6, None)), (behind_a_loop, (None, None))],
)
def test_what_does_not_follow_stays_unknown(build, shape):
    view = GraphView(graph_def_of(build))

    assert view.shape(TensorRef('output', 0)) == shape


def test_a_reshape_of_other_examples_is_not_guessed():
    with tf.Graph().as_default() as graph:
        x, y = (tf.placeholder(tf.float32, [None, 8], name) for name in 'xy')
        tf.reshape(x, [tf.shape(y)[0], -1], name='output')
    view = GraphView(graph.as_graph_def())

    assert view.shape(TensorRef('output', 0)) == (None, None)


def test_a_graph_of_which_tensorflow_knows_all_is_left_alone():
    graph_def = graph_def_of(lambda x: tf.reshape(x, [-1, 144]))

    found = static_shapes.refined(graph_def, importing.import_graph(graph_def))

    assert found == {}
