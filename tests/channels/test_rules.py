"""What each op does to the channels that reach it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import cases, families, tracing
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels.trace_result import Kernel
from tf1pruning.graph import inference_graph as graph_lib

# The networks of the rows are built and traced once, on one worker.
pytestmark = pytest.mark.xdist_group('families')


@pytest.mark.parametrize('row', families.FAMILIES, ids=str)
def test_an_op_between_two_layers_leaves_these_groups_free(row):
    case = cases.case_of(families.graph_of(row))

    assert {g.name: g.width for g in case.groups if not g.frozen} == row.groups
    assert case.trace.unsupported == ()


def first(x, width=12, **options):
    return networks.conv(x, width, name='first', **options)


def wide(x):
    return networks.conv(x, 12, name='wide')


def last(x):
    return tf.reduce_mean(networks.conv(x, 6, name='last'), [1, 2])


def kernel_of_the_input(x):
    kernel = tf.get_variable('kernel', [1, 1, 12, 4]) * tf.reduce_mean(x)
    return tf.nn.conv2d(first(x), kernel, 1, 'SAME', name='computed')


def transposed_activation(x):
    x = tf.reduce_mean(first(x), [1, 2])
    return tf.matmul(x, tf.get_variable('w', [2, 4]), transpose_a=True, name='product')


def size_as_number(x):
    x = first(x)
    return x * tf.cast(tf.shape(x)[3], tf.float32, name='number')


def training_batch_norm(x):
    ones = [tf.constant(np.ones(12, 'f'), name='ones') for _ in range(2)]
    return tf.nn.fused_batch_norm(first(x), *ones, name='norm')[0]


FROZEN = {
    'no rule': (
        lambda x: tf.cumprod(first(x), 1, name='running'),
        "reaches 'running': no rule for Cumprod",
    ),
    'model input': (
        lambda x: tf.add(first(x, 3), x, name='add'),
        "meets fixed channels in 'add'",
    ),
    'normalized over channels': (
        lambda x: tf.nn.softmax(first(x), name='soft'),
        "is mixed with all others in 'soft'",
    ),
    'index of a channel': (
        lambda x: tf.cast(tf.argmax(first(x), -1, name='best'), tf.float32),
        "is mixed with all others in 'best'",
    ),
    'one value for many channels': (
        lambda x: tf.multiply(first(x, 1), wide(x), name='spread'),
        "is spread over channels in 'spread'",
    ),
    'many channels and one value': (
        lambda x: tf.multiply(wide(x), first(x, 1), name='spread'),
        "is spread over channels in 'spread'",
    ),
    'mean over channels': (
        lambda x: tf.reduce_mean(first(x), 3, name='mean', keepdims=True),
        "reaches 'mean': a reduction over channels",
    ),
    'sum over channels and examples': (
        lambda x: tf.reduce_sum(first(x), [0, 3], name='sum')[tf.newaxis, ..., :4],
        "reaches 'sum': a reduction over channels",
    ),
    'window over channels': (
        lambda x: tf.nn.max_pool2d(first(x), [1, 1, 1, 2], 2, 'VALID', name='pool'),
        "reaches 'pool': a window over channels",
    ),
    'mirrored channels': (
        lambda x: tf.pad(first(x), [[0, 0]] * 3 + [[1, 0]], 'REFLECT', name='pad'),
        "reaches 'pad': mirrored channels",
    ),
    'every other channel': (
        lambda x: tf.identity(first(x)[..., ::2], name='half'),
        "reaches 'strided_slice': a strided slice of channels",
    ),
    'one channel': (
        lambda x: tf.expand_dims(first(x)[..., 3], -1),
        "reaches 'strided_slice': a single channel taken out",
    ),
    'channels one by one': (
        lambda x: tf.stack(tf.unstack(first(x), axis=-1, name='apart')[2:], -1),
        "reaches 'apart': channels taken apart one by one",
    ),
    'shape of random numbers': (
        lambda x: first(x) * tf.random_normal(tf.shape(wide(x))[3:], name='noise'),
        "meets fixed channels in 'mul'",
    ),
    'parameters of random numbers': (
        lambda x: tf.random.poisson(first(x), [], name='noise'),
        "is what random numbers depend on in 'noise/RandomPoissonV2'",
    ),
    'kernel of the input': (
        kernel_of_the_input,
        "reaches 'computed': input 1 that depends on the input",
    ),
    'transposed activation': (
        transposed_activation,
        "reaches 'product': a transposed activation",
    ),
    'size as a number': (
        size_as_number,
        "has its size used as a number in 'number'",
    ),
    'one value for each position': (
        lambda x: tf.multiply(first(x), tf.get_variable('mask', [8, 8, 1]), name='one'),
        "reaches 'one': weight 'mask' with several axes",
    ),
    'a kernel for each example': (
        lambda x: tf.matmul(
            tf.reshape(first(x), [2, -1, 12]),
            tf.get_variable('w', [2, 12, 4]),
            name='product',
        ),
        "reaches 'product': a kernel of shape (2, 12, 4)",
    ),
    'indices put together': (
        lambda x: tf.gather(first(x), tf.stack([tf.constant(3)]), axis=-1, name='some'),
        "reaches 'some': computed indices",
    ),
    'default of an input': (
        lambda x: tf.placeholder_with_default(first(x), [None, 8, 8, 12], name='cut'),
        "is the default of input 'cut'",
    ),
}


@pytest.mark.parametrize(('middle', 'reason'), FROZEN.values(), ids=FROZEN.keys())
def test_what_cannot_be_followed_freezes_the_channels_that_reach_it(middle, reason):
    groups = tracing.groups_of(
        lambda x: tf.reduce_mean(
            networks.conv(networks.conv(_image(middle(x)), 6, name='last'), 2), [1, 2]
        )
    )

    assert groups['first'].reasons[0] == reason
    assert not groups['last'].frozen


def _image(x):
    return tf.reshape(x, [-1, 1, 1, 4]) if x.shape.rank != 4 else x


def test_only_the_groups_that_an_unknown_op_touches_are_frozen():
    def build(x):
        x = networks.conv(x, 4, name='before')
        x = networks.conv(x, 5, name='touched')
        x = tf.cumprod(x, 1, name='running')
        return last(networks.conv(x, 6, name='behind'))

    trace = tracing.trace_of(build)

    assert trace.unsupported == ('Cumprod',)
    reasons = {g.name: g.reasons for g in tracing.by_name(trace).values()}
    assert reasons == {
        'before': (),
        'touched': ("reaches 'running': no rule for Cumprod",),
        'behind': (),
        'last': ('is a model output',),
    }


def test_an_attribute_that_nobody_thought_of_freezes_the_channels():
    model = tracing.model_of(lambda x: last(tf.nn.relu(first(x), name='act')))
    graph_def = tf.GraphDef()
    graph_def.CopyFrom(model.graph_def)
    for node in graph_def.node:
        if node.name == 'act':
            node.attr['wrap'].b = True

    trace = trace_lib.trace(dataclasses.replace(model, graph_def=graph_def))

    reason = "reaches 'act': attribute 'wrap' of Relu"
    assert tracing.by_name(trace)['first'].reasons == (reason,)
    assert trace.unsupported == ()


def test_batch_norm_in_training_mode_leaves_its_channels_free():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        tf.identity(last(training_batch_norm(x)), name='output')
    meta_graph = tf.train.export_meta_graph(graph=graph)
    model = graph_lib.build(meta_graph.graph_def, ('output',), meta_graph)

    group = tracing.by_name(trace_lib.trace(model))['first']

    assert not group.frozen
    # No moving statistics.
    assert [place.variable for place in group.places] == [
        'first/kernel',
        'first/bias',
        'ones',
        'ones_1',
        'last/kernel',
    ]


def test_a_concat_with_the_input_leaves_the_other_channels_free():
    groups = tracing.groups_of(lambda x: last(tf.concat([x, first(x)], -1)))

    assert not groups['first'].frozen
    reads = next(p for p in groups['first'].places if p.variable == 'last/kernel')
    assert reads.positions.ravel().tolist() == list(range(3, 15))


def test_channels_first_are_followed():
    def build(x):
        x = tf.transpose(x, [0, 3, 1, 2])
        options = {'data_format': 'channels_first'}
        x = tf.nn.max_pool2d(first(x, **options), 2, 2, 'SAME', data_format='NCHW')
        return tf.reduce_mean(networks.conv(x, 6, name='last', **options), [2, 3])

    groups = tracing.groups_of(build)

    assert groups['first'].reasons == ()
    assert groups['last'].reasons == ('is a model output',)


def test_a_kernel_that_two_layers_share_is_one_place():
    def build(x):
        kernel = tf.get_variable('shared/kernel', [1, 1, 12, 12])
        x = tf.nn.conv2d(first(x), kernel, 1, 'SAME')
        return last(tf.nn.conv2d(x, kernel, 1, 'SAME'))

    groups = tracing.groups_of(build)

    assert [(p.variable, p.axis) for p in groups['first'].places] == [
        ('first/kernel', 3),
        ('first/bias', 0),
        ('shared/kernel', 2),
        ('shared/kernel', 3),
        ('last/kernel', 2),
    ]


def test_a_kernel_that_is_also_added_at_each_position_keeps_its_positions():
    def build(x):
        kernel = tf.get_variable('kernel', [8, 12])
        product = tf.matmul(tf.reduce_mean(first(x, 8), [1, 2]), kernel)
        return last(tf.add(wide(x), kernel, name='add')) + product[:, :6]

    groups = tracing.groups_of(build)

    assert groups['first'].reasons == ("is no channel axis in 'add'",)


def test_layers_are_recorded_with_their_work():
    def build(x):
        x = first(x, 4, size=3, strides=2)
        x = networks.depthwise(x, size=5)
        x = tf.layers.conv2d(x, 6, 1, name='point')
        return tf.layers.dense(tf.reduce_mean(x, [1, 2]), 2, name='dense')

    def layer(node, op, kernel, *numbers, borders=False):
        return Kernel(node, op, 0, kernel, *numbers, borders, False, kernel)

    assert tracing.trace_of(build).kernels == (
        layer('first/Conv2D', 'Conv2D', 'first/kernel', 16, 2, 3, 9, borders=True),
        layer(
            'depthwise', 'DepthwiseConv2dNative', 'weights', 16, 2, 2, 25, borders=True
        ),
        layer('point/Conv2D', 'Conv2D', 'point/kernel', 16, 2, 3, 1),
        layer('dense/MatMul', 'MatMul', 'dense/kernel', 1, 0, 1, 1),
    )


def test_the_groups_of_a_grouped_convolution_are_tied():
    def build(x):
        kernel = tf.get_variable('grouped/kernel', [1, 1, 6, 8])
        return last(tf.nn.conv2d(first(x), kernel, 1, 'SAME'))

    groups = tracing.groups_of(build)

    assert {g.name: g.width for g in groups.values() if not g.frozen} == {
        'first': 6,
        'grouped': 4,
    }
    made = next(p for p in groups['first'].places if p.variable == 'first/kernel')
    assert made.positions.tolist() == [[i, i + 6] for i in range(6)]


@pytest.mark.parametrize(
    ('padding', 'borders'),
    [
        ('SAME', True),
        ('VALID', False),
        ([[0, 0], [1, 1], [0, 0], [0, 0]], True),
        ([[0, 0]] * 4, False),
    ],
)
def test_padding_tells_whether_zeros_mix_with_the_input(padding, borders):
    def build(x):
        return tf.nn.conv2d(x, tf.get_variable('w', [3, 3, 3, 4]), 1, padding)

    assert tracing.trace_of(build).kernels[0].borders is borders
