from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import losses


def found(build):
    """Data losses of a graph with a placeholder `x` and a variable `w`, both `[2]`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2], 'x')
        for loss in build(x, tf.get_variable('w', [2])):
            tf.add_to_collection(tf.GraphKeys.LOSSES, loss)
        return losses.data_losses(tf.train.export_meta_graph(graph=graph))


def test_a_graph_without_losses_has_none():
    assert found(lambda x, w: []) == []


def test_each_loss_is_named_once():
    def build(x, w):
        a, b = tf.reduce_sum(x * w, name='a'), tf.reduce_sum(x, name='b')
        return a, b, a

    assert found(build) == ['a', 'b']


def test_sums_and_factors_are_looked_through():
    def build(x, w):
        a, b = tf.reduce_sum(x * w, name='a'), tf.reduce_sum(x, name='b')
        return [tf.add_n([0.5 * a, tf.identity(b) / 3.0, a + b])]

    assert found(build) == ['a', 'b']


def test_terms_that_look_at_weights_alone_do_not_count():
    def build(x, w):
        decay = tf.nn.l2_loss(w, name='decay')
        return tf.reduce_sum(x * w, name='a') + 0.1 * decay, decay

    assert found(build) == ['a']


def test_a_vector_is_not_looked_into():
    def build(x, w):
        return [tf.add(x, w, name='vector')]

    assert found(build) == ['vector']
