from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.graph.frozen import batch_norm_folding, constant_folding
from tf1pruning.graph.view import GraphView
from tf1pruning.surgery import verify

RANDOM = np.random.RandomState(7)
EPSILON = 0.01


def array(*shape):
    return tf.constant(RANDOM.standard_normal(shape), tf.float32)


def statistics(channels):
    """gamma, beta, mean, variance."""
    variance = tf.constant(RANDOM.uniform(0.5, 2, channels), tf.float32)
    return array(channels), array(channels), array(channels), variance


def fused(x, data_format='NHWC', op='FusedBatchNorm'):
    channels = x.shape.as_list()[-1 if data_format == 'NHWC' else 1]
    gamma, beta, mean, variance = statistics(channels)
    return getattr(tf.raw_ops, op)(
        x=x,
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=EPSILON,
        is_training=False,
        data_format=data_format,
    ).y


def unfused(x):
    gamma, beta, mean, variance = statistics(x.shape.as_list()[-1])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)


def by_hand(x):
    gamma, beta, mean, variance = statistics(x.shape.as_list()[-1])
    return (x - mean) * (gamma * tf.rsqrt(variance + EPSILON)) + beta


def conv(x):
    return tf.nn.conv2d(x, array(3, 3, 4, 6), 1, 'SAME')


def depthwise(x):
    return tf.nn.depthwise_conv2d(x, array(3, 3, 4, 2), [1, 1, 1, 1], 'SAME')


def conv3d(x):
    x = tf.expand_dims(x, 1)
    return tf.nn.conv3d(x, array(1, 3, 3, 4, 6), [1] * 5, 'SAME')


def dense(x):
    return tf.matmul(tf.reshape(x, [-1, 144]), array(144, 5))


def dense_transposed(x):
    return tf.matmul(tf.reshape(x, [-1, 144]), array(5, 144), transpose_b=True)


def dilated(x):
    x = tf.space_to_batch_nd(x, [2, 2], [[2, 2], [2, 2]])
    x = tf.nn.conv2d(x, array(3, 3, 4, 6), 1, 'VALID')
    return tf.batch_to_space_nd(x, [2, 2], [[0, 0], [0, 0]])


def biased_blocks(x):
    x = tf.space_to_batch_nd(x, [2, 2], [[2, 2], [2, 2]])
    x = tf.nn.bias_add(tf.nn.conv2d(x, array(3, 3, 4, 6), 1, 'VALID'), array(6))
    return tf.batch_to_space_nd(x, [2, 2], [[0, 0], [0, 0]])


def one_filter(x):
    return tf.nn.conv2d(x, array(3, 3, 4, 1), 1, 'SAME')


def with_statistics(x):
    y = fused(x)
    return y + tf.cast(tf.raw_ops.Shape(input=y.op.outputs[1]), tf.float32)


def in_training(x):
    gamma, beta, *_ = statistics(x.shape.as_list()[-1])
    return tf.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0]


def with_product(x):
    scaled = x * array(6)
    return scaled + array(6) + tf.tanh(scaled)


def graph_of(*layers):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 4], 'input')
        for layer in layers:
            x = layer(x)
        tf.identity(x, name='output')
    return graph.as_graph_def()


def fold(graph_def, outputs=('output',)):
    ready = constant_folding.fold_constants(graph_def, outputs)
    return batch_norm_folding.fold_batch_norms(ready, outputs)


def ops(graph_def):
    return {node.op for node in graph_def.node}


@pytest.mark.parametrize(
    ('layers', 'count'),
    [
        ((conv, fused), 1),
        ((conv, lambda x: fused(x, op='FusedBatchNormV2')), 1),
        ((conv, lambda x: fused(x, op='FusedBatchNormV3')), 1),
        ((conv, unfused), 1),
        ((conv, by_hand), 1),
        ((conv, lambda x: x * array(6) - array(6)), 1),
        ((depthwise, fused), 1),
        ((depthwise, unfused), 1),
        ((conv3d, unfused), 1),
        ((dense, unfused), 1),
        ((dense_transposed, unfused), 1),
        ((dilated, fused), 1),
        ((conv, lambda x: tf.nn.bias_add(x, array(6)), fused), 1),
        ((conv, lambda x: x + array(6), fused), 1),
        ((conv, lambda x: x - array(6), unfused), 1),
        ((dense, lambda x: tf.nn.bias_add(x, array(5)), unfused), 1),
        ((depthwise, fused, tf.nn.relu, lambda x: x[..., :4], conv, fused), 2),
    ],
)
def test_the_folded_graph_gives_the_same_answers(layers, count):
    graph_def = graph_of(*layers)

    folded = fold(graph_def)

    assert (len(folded.nodes), folded.kept) == (count, ())
    assert ops(folded.graph_def).isdisjoint(
        ('FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3', 'Mul')
    )
    assert verify.compare(graph_def, folded.graph_def, ['output']).relative <= 1e-5


def test_the_bias_has_the_name_of_the_batch_norm():
    folded = fold(graph_of(conv, fused))

    node = GraphView(folded.graph_def).node('FusedBatchNorm')
    assert node.op == 'BiasAdd'
    assert folded.nodes == ('FusedBatchNorm',)


def channels_first(layer, rank):
    """A layer on channels-first images of size 1; it does not run on a CPU."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2] + [1] * (rank - 2), 'input')
        tf.identity(layer(x), name='output')
    return graph.as_graph_def()


def nchw(x):
    x = tf.nn.conv2d(x, tf.ones([1, 1, 2, 2]), 1, 'SAME', data_format='NCHW')
    x = tf.nn.bias_add(x, tf.constant([1.0, 2.0]), data_format='NCHW')
    return tf.raw_ops.FusedBatchNorm(
        x=x,
        scale=[2.0, 3.0],
        offset=[5.0, 7.0],
        mean=[1.0, 1.0],
        variance=[1.0, 4.0],
        epsilon=0.0,
        is_training=False,
        data_format='NCHW',
    ).y


def ncdhw(x):
    kernel = tf.ones([1, 1, 1, 2, 2])
    x = tf.nn.conv3d(x, kernel, [1] * 5, 'SAME', data_format='NCDHW')
    scale = tf.reshape(tf.constant([2.0, 1.5]), [2, 1, 1, 1])
    return x * scale + tf.reshape(tf.constant([5.0, 7.0]), [2, 1, 1, 1])


def test_channels_may_come_first():
    folded = fold(channels_first(nchw, 4))

    view = GraphView(folded.graph_def)
    assert len(folded.nodes) == 1
    kernel = view.node('Conv2D/folded')
    bias = view.inputs(view.node('FusedBatchNorm'))[1]
    np.testing.assert_allclose(
        nodes.constant_value(kernel)[0, 0], [[2.0, 1.5], [2.0, 1.5]], rtol=1e-6
    )
    # 2 * (1 - 1) + 5 and 1.5 * (2 - 1) + 7.
    np.testing.assert_allclose(nodes.constant_value(bias), [5.0, 8.5], rtol=1e-6)
    assert view.node('FusedBatchNorm').attr['data_format'].s == b'NCHW'


def test_channels_may_come_first_in_three_dimensions():
    folded = fold(channels_first(ncdhw, 5))

    view = GraphView(folded.graph_def)
    (bias,) = (node for node in view if node.name.endswith('/offset'))
    assert nodes.constant_value(bias).shape == (2, 1, 1, 1)
    kernel = nodes.constant_value(view.node('Conv3D/folded'))
    np.testing.assert_array_equal(kernel[0, 0, 0], [[2.0, 1.5], [2.0, 1.5]])


def test_a_vector_along_another_axis_is_no_batch_norm():
    def along_width(x):
        x = tf.nn.conv2d(x, tf.ones([1, 1, 2, 2]), 1, 'SAME', data_format='NCHW')
        return x * tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0])

    folded = fold(channels_first(along_width, 4))

    assert folded.nodes == ()
    assert 'another axis' in folded.kept[0].reason


def test_layers_that_share_a_kernel_get_their_own():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 4], 'input')
        kernel = array(3, 3, 4, 4)
        first = fused(tf.nn.conv2d(x, kernel, 1, 'SAME'))
        tf.add(fused(tf.nn.conv2d(first, kernel, 1, 'SAME')), 1.0, name='output')
    graph_def = graph.as_graph_def()

    folded = fold(graph_def)

    assert len(folded.nodes) == 2
    assert verify.compare(graph_def, folded.graph_def, ['output']).relative <= 1e-5


@pytest.mark.parametrize(
    ('layers', 'reason'),
    [
        ((fused,), "it reads Placeholder 'input', which is no layer"),
        ((conv, tf.nn.relu, fused), "it reads Relu 'Relu', which is no layer"),
        (
            (conv, lambda x: fused(x) + x),
            "Conv2D 'Conv2D' before it is read by something else, too",
        ),
        ((conv, with_statistics), 'its statistics are read, too'),
        ((conv, in_training), 'it uses the statistics of the batch'),
        ((conv, with_product), "its product 'mul' is read by something else, too"),
        (
            (conv, lambda x: x + tf.reshape(array(6), [6, 1]), fused),
            "AddV2 'add' before it adds no bias",
        ),
        (
            (dense, lambda x: x * array(5) + tf.reshape(array(5), [1, 1, 5])),
            "it works on another axis than MatMul 'MatMul'",
        ),
        (
            (biased_blocks, fused),
            "it reads BiasAdd 'BiasAdd', which is no layer",
        ),
        (
            (one_filter, lambda x: x * array(6) + array(6)),
            "it has 6 channels and Conv2D 'Conv2D' has 1",
        ),
        (
            (lambda x: tf.matmul(x[:, 0, 0], x[0, 0, :4]), unfused),
            "the kernel of MatMul 'MatMul' is not constant",
        ),
    ],
)
def test_what_cannot_be_folded_stays_with_a_reason(layers, reason):
    graph_def = graph_of(*layers)

    folded = fold(graph_def)

    assert folded.nodes == ()
    assert [kept.reason for kept in folded.kept] == [reason]
    assert verify.compare(graph_def, folded.graph_def, ['output']).absolute == 0


@pytest.mark.parametrize(
    'other',
    [
        lambda x: x * array(6) + tf.reshape(array(6), [6, 1]),
        lambda x: array(6) - x * array(6),
    ],
    ids=['vectors along two axes', 'taken from a vector'],
)
def test_other_arithmetic_is_no_batch_norm(other):
    graph_def = graph_of(conv, other)

    folded = fold(graph_def)

    assert (folded.nodes, folded.kept) == ((), ())
    assert verify.compare(graph_def, folded.graph_def, ['output']).absolute == 0


def test_an_epsilon_that_is_not_written_is_that_of_tensorflow():
    graph_def = graph_of(conv, fused)
    (node,) = (n for n in graph_def.node if n.op == 'FusedBatchNorm')
    del node.attr['epsilon']

    folded = fold(graph_def)

    assert len(folded.nodes) == 1
    assert verify.compare(graph_def, folded.graph_def, ['output']).relative <= 1e-5


def test_an_output_of_the_product_is_left_alone():
    folded = fold(graph_of(conv, lambda x: x * array(6) + array(6)), ('mul', 'output'))

    assert 'read by something else' in folded.kept[0].reason


def test_an_output_of_the_layer_is_left_alone():
    graph_def = graph_of(conv, fused)

    folded = fold(graph_def, ('Conv2D', 'output'))

    assert 'read by something else' in folded.kept[0].reason


def test_the_graph_is_not_changed():
    graph_def = graph_of(conv, fused)
    before = graph_def.SerializeToString(deterministic=True)

    fold(graph_def)

    assert graph_def.SerializeToString(deterministic=True) == before
