from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from demo.networks import mobilenet_v2
from demo.networks.mobilenet_v2 import MobileNetV2Config, SqueezeExcite, Stage
from tests import networks
from tf1pruning.channels.trace import trace
from tf1pruning.report import cost

TINY = MobileNetV2Config(
    classes=3,
    stages=(Stage(1, 8, 1, 1), Stage(6, 8, 2, 1)),
    squeeze_excites=(SqueezeExcite(after=1), SqueezeExcite(after=2)),
    stem_channels=8,
    head_channels=16,
)

TINY_VARIABLES = {
    'MobilenetV2/Conv/weights': [3, 3, 1, 8],
    'MobilenetV2/expanded_conv/depthwise/depthwise_weights': [3, 3, 8, 1],
    'MobilenetV2/expanded_conv/project/weights': [1, 1, 8, 8],
    'MobilenetV2/expanded_conv_1/expand/weights': [1, 1, 8, 48],
    'MobilenetV2/expanded_conv_1/depthwise/depthwise_weights': [3, 3, 48, 1],
    'MobilenetV2/expanded_conv_1/project/weights': [1, 1, 48, 8],
    'SE1/Conv/weights': [1, 1, 8, 4],
    'SE1/Conv/biases': [4],
    'SE1/Conv_1/weights': [1, 1, 4, 8],
    'SE1/Conv_1/biases': [8],
    'MobilenetV2/expanded_conv_2/expand/weights': [1, 1, 8, 48],
    'MobilenetV2/expanded_conv_2/depthwise/depthwise_weights': [3, 3, 48, 1],
    'MobilenetV2/expanded_conv_2/project/weights': [1, 1, 48, 8],
    'SE2/Conv/weights': [1, 1, 8, 4],
    'SE2/Conv/biases': [4],
    'SE2/Conv_1/weights': [1, 1, 4, 8],
    'SE2/Conv_1/biases': [8],
    'MobilenetV2/Conv_1/weights': [1, 1, 8, 16],
    'MobilenetV2/Logits/Conv2d_1c_1x1/weights': [1, 1, 16, 3],
    'MobilenetV2/Logits/Conv2d_1c_1x1/biases': [3],
}


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        # The last stride needs two pixels: 5 -> 3 -> 2, and 17 -> 9 -> 5 -> 3 -> 2.
        (mobilenet_v2.small(10), 5),
        (mobilenet_v2.standard(), 17),
        (mobilenet_v2.tiny(10), 2),
        (dataclasses.replace(TINY, stem_stride=1), 1),
    ],
)
def test_the_least_size_of_images(config, expected):
    assert config.least_side == expected


def images(size=8, channels=1):
    return tf.placeholder(tf.float32, [None, size, size, channels], name='input')


def parameter_count():
    return sum(np.prod(v.shape.as_list()) for v in tf.global_variables())


def test_the_network_of_the_demo_has_the_parameters_and_macs_of_the_readme(graph):
    mobilenet_v2.build(images(16), mobilenet_v2.small(10))
    traced = trace(networks.model_of(graph, ['output']))

    costs = cost.measure(traced, {}, ())

    assert (costs.parameters, costs.macs) == (103660, 1691936)


def test_standard_network_has_the_published_parameters(graph):
    mobilenet_v2.build(images(224, 3), mobilenet_v2.standard())

    assert parameter_count() == 3538984


def test_standard_network_ends_in_7x7x1280(graph):
    mobilenet_v2.build(images(224, 3), mobilenet_v2.standard(classes=1001))

    head = graph.get_tensor_by_name('MobilenetV2/Conv_1/Relu6:0')
    assert head.shape.as_list() == [None, 7, 7, 1280]
    assert graph.get_tensor_by_name('output:0').shape.as_list() == [None, 1001]


def test_variables_have_the_documented_names_and_shapes(graph):
    mobilenet_v2.build(images(), TINY)

    found = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    kernels = {k: v for k, v in found.items() if 'BatchNorm' not in k}
    assert kernels == TINY_VARIABLES
    norms = {k: v for k, v in found.items() if '/expanded_conv_1/expand/Batch' in k}
    assert {k.rpartition('/')[2]: v for k, v in norms.items()} == {
        'gamma': [48],
        'beta': [48],
        'moving_mean': [48],
        'moving_variance': [48],
    }


def test_inner_layers_may_be_narrower(graph):
    widths = {'MobilenetV2/expanded_conv_1/expand': 16, 'SE1/Conv': 2}

    mobilenet_v2.build(images(), dataclasses.replace(TINY, widths=widths))

    found = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    changed = {
        name: shape
        for name, shape in found.items()
        if 'BatchNorm' not in name and TINY_VARIABLES[name] != shape
    }
    block = 'MobilenetV2/expanded_conv_1'
    expand = TINY_VARIABLES[f'{block}/expand/weights']
    project = TINY_VARIABLES[f'{block}/project/weights']
    assert changed == {
        # As wide as the input, and still an expansion.
        f'{block}/expand/weights': [*expand[:3], 16],
        f'{block}/depthwise/depthwise_weights': [3, 3, 16, 1],
        f'{block}/project/weights': [1, 1, 16, project[3]],
        'SE1/Conv/weights': [*TINY_VARIABLES['SE1/Conv/weights'][:3], 2],
        'SE1/Conv/biases': [2],
        'SE1/Conv_1/weights': [1, 1, 2, TINY_VARIABLES['SE1/Conv_1/weights'][3]],
    }


def test_variables_are_ref_variables_even_where_the_caller_wants_others(graph):
    with tf.variable_scope('', use_resource=True):
        mobilenet_v2.build(images(), TINY)

    kinds = {v.op.type for v in tf.global_variables()}
    assert kinds == {'VariableV2'}


def test_shortcut_where_shapes_allow_it(graph):
    mobilenet_v2.build(images(), TINY)

    adds = [op.name for op in graph.get_operations() if op.type.startswith('Add')]
    assert [name for name in adds if name.endswith('/add')] == [
        'MobilenetV2/expanded_conv/add',
        'MobilenetV2/expanded_conv_1/add',
        'MobilenetV2/expanded_conv_2/add',
    ]


def test_strided_and_widening_blocks_have_no_shortcut(graph):
    config = MobileNetV2Config(
        stages=(Stage(1, 16, 1, 1), Stage(6, 16, 1, 2)), stem_channels=8
    )

    mobilenet_v2.build(images(), config)

    assert not [op for op in graph.get_operations() if op.name.endswith('/add')]


def test_inference_graph_updates_nothing(graph):
    mobilenet_v2.build(images(), TINY)

    assert tf.get_collection(tf.GraphKeys.UPDATE_OPS) == []


def test_training_moves_the_moving_statistics_towards_the_batch(graph):
    mobilenet_v2.build(images(), TINY, is_training=True)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    # One mean and one variance for each of the 10 batch norms.
    assert len(updates) == 20

    mean = next(v for v in tf.global_variables() if v.op.name.endswith('moving_mean'))
    convolved = graph.get_tensor_by_name('MobilenetV2/Conv/Conv2D:0')
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        feed = {'input:0': np.random.RandomState(0).rand(2, 8, 8, 1)}
        expected = session.run(convolved, feed).mean(axis=(0, 1, 2)) * (1 - 0.997)
        session.run(updates, feed)
        moved = session.run(mean)

    np.testing.assert_allclose(moved, expected, rtol=1e-4)


def test_squeeze_excite_scales_by_the_gate(graph):
    mobilenet_v2.build(images(), TINY)
    names = ('MobilenetV2/expanded_conv_1/add', 'SE1/Conv_1/Sigmoid', 'SE1/Mul')

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        feed = {'input:0': np.random.RandomState(0).rand(2, 8, 8, 1)}
        block, gate, scaled = session.run([f'{name}:0' for name in names], feed)

    assert gate.shape == (2, 1, 1, 8)
    np.testing.assert_allclose(scaled, block * gate, rtol=1e-6)


def test_pruning_scopes_name_the_blocks_that_have_inner_channels():
    assert mobilenet_v2.pruning_scopes(TINY) == (
        'SE1',
        'SE2',
        'MobilenetV2/expanded_conv_1/',
        'MobilenetV2/expanded_conv_2/',
    )
    assert len(mobilenet_v2.pruning_scopes(mobilenet_v2.standard())) == 16


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'activation': 'tanh'}, "activation is 'tanh'; expected one of relu, relu6"),
        ({'dropout': 1.0}, 'dropout is 1.0'),
        ({'squeeze_excites': (SqueezeExcite(17),)}, 'blocks are 0 to 16'),
        (
            {'squeeze_excites': (SqueezeExcite(2), SqueezeExcite(1))},
            r'\[2, 1\]; expected each block once, in order',
        ),
    ],
)
def test_bad_configurations_say_what_is_wrong(fields, message):
    with pytest.raises(ValueError, match=message):
        MobileNetV2Config(**fields)


def test_a_stage_of_no_blocks_is_refused():
    with pytest.raises(ValueError, match='repeats is 0'):
        Stage(6, 16, 0, 1)


def test_width_multiplier_scales_all_but_the_head(graph):
    mobilenet_v2.build(images(32, 3), MobileNetV2Config(width=0.5))

    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    assert shapes['MobilenetV2/Conv/weights'] == [3, 3, 3, 16]
    assert shapes['MobilenetV2/expanded_conv_16/project/weights'] == [1, 1, 480, 160]
    assert shapes['MobilenetV2/Conv_1/weights'] == [1, 1, 160, 1280]
