"""Ten small graphs, with loops, branches, functions, variables and datasets."""

from __future__ import annotations

import tensorflow.compat.v1 as tf


def _dense(x, units=4, name='fc'):
    return tf.layers.dense(x, units, name=name)


def _convolutions(x):
    y = tf.nn.relu(tf.layers.conv2d(x, 4, 3, padding='same'))
    return _dense(tf.reduce_mean(tf.layers.conv2d(y, 6, 1), [1, 2]))


def _batch_norm(x):
    y = tf.layers.batch_normalization(tf.layers.conv2d(x, 4, 3), fused=True)
    return _dense(tf.layers.flatten(tf.nn.relu6(y)))


def _training(x):
    y = tf.layers.batch_normalization(tf.layers.conv2d(x, 4, 3), training=True)
    y = _dense(tf.layers.dropout(tf.reduce_mean(y, [1, 2]), training=True))
    loss = tf.losses.mean_squared_error(tf.zeros_like(y), y)
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    return y


def _parts(x):
    a, b = tf.split(tf.layers.conv2d(x, 6, 1), 2, axis=3)
    y = tf.concat([tf.nn.relu(a), b[:, :, :, :2]], axis=3)
    return _dense(tf.reduce_sum(tf.transpose(y, [0, 3, 1, 2]), [2, 3]))


def _loop(x):
    y = tf.layers.conv2d(x, 4, 1)
    return tf.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, z * 0.5), [0, y])[1]


def _branches(x):
    flag = tf.placeholder_with_default(False, [], 'flag')
    y = tf.layers.conv2d(x, 4, 1)
    return tf.cond(flag, lambda: tf.nn.relu(y), lambda: _dense(y))


def _function(x):
    @tf.function
    def scaled(y):
        return tf.nn.relu(y) * 2.0, y + 1.0

    a, b = scaled(tf.layers.conv2d(x, 4, 1))
    return _dense(a + b)


def _dataset(x):
    rows = tf.data.Dataset.from_tensors(tf.zeros([1, 8, 8, 3])).repeat().map(tf.abs)
    images = tf.data.make_initializable_iterator(rows).get_next()
    return _dense(tf.layers.conv2d(images, 4, 1)) + tf.reduce_sum(x) * 0


def _resources(x):
    with tf.variable_scope('net', use_resource=True):
        y = tf.layers.conv2d(x, 4, 3, strides=2)
        return _dense(tf.reshape(y, [-1, 3 * 3 * 4]))


def _transposed(x):
    y = tf.layers.conv2d_transpose(tf.layers.conv2d(x, 4, 1), 6, 2, strides=2)
    y = tf.image.resize_bilinear(tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]]), [6, 6])
    return tf.layers.separable_conv2d(tf.nn.leaky_relu(y), 4, 3)


ALL = (
    _convolutions,
    _batch_norm,
    _training,
    _parts,
    _loop,
    _branches,
    _function,
    _dataset,
    _resources,
    _transposed,
)


def meta_graph(build) -> tf.MetaGraphDef:
    """A meta graph that ends in the node `output`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name='input')
        tf.identity(build(x), name='output')
        return tf.train.export_meta_graph(graph=graph)
