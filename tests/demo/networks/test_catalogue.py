from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from demo.networks import feature_pyramid, ghostnet, random_weights, shufflenet_v2, unet
from demo.networks.catalogue import NETWORKS
from tests import networks as test_networks
from tests.demo.networks import tiny
from tf1pruning.graph.frozen import freeze
from tf1pruning.surgery import feeds, verify

IMAGENET = {'output': [None, 1000]}
TEN_CLASSES = {'output': [None, 10]}
FULL_SIZE_SHAPES = {
    'mobilenet_v1': IMAGENET,
    'mobilenet_v2': IMAGENET,
    'mobilenet_v2_se': IMAGENET,
    'mobilenet_v3': IMAGENET,
    'efficientnet_b0': IMAGENET,
    'shufflenet_v2': IMAGENET,
    'squeezenet': IMAGENET,
    'ghostnet': IMAGENET,
    'unet': {'output': [None, 256, 256, 2]},
    # 9 anchors on 32^2 + 16^2 + 8^2 + 4^2 + 2^2 pixels.
    'feature_pyramid': {'boxes': [None, 12276, 4], 'scores': [None, 12276, 91]},
    'super_resolution': {'output': [None, 128, 128, 3]},
    'resnet_18': IMAGENET,
    'resnet_34': IMAGENET,
    'resnet_20': TEN_CLASSES,
    'resnet_56': TEN_CLASSES,
    'small_conv': TEN_CLASSES,
    'alexnet': IMAGENET,
    'vgg_11': IMAGENET,
    'vgg_13': IMAGENET,
    'vgg_16': IMAGENET,
    'vgg_19': IMAGENET,
    'mlp': TEN_CLASSES,
    'mlp_deep': TEN_CLASSES,
}
# As the papers print them, in millions (VGG with a digit more); others print none.
PUBLISHED_MILLIONS = {
    'mobilenet_v1': 4.2,
    'mobilenet_v2': 3.5,
    'mobilenet_v3': 5.5,
    'efficientnet_b0': 5.3,
    'shufflenet_v2': 2.3,
    'squeezenet': 1.2,
    'ghostnet': 5.2,
    'unet': 31.0,
    'super_resolution': 1.4,
    'resnet_20': 0.3,
    'resnet_56': 0.9,
    'vgg_11': 132.9,
    'vgg_13': 133.0,
    'vgg_16': 138.4,
    'vgg_19': 143.7,
    'mlp': 0.3,
    'mlp_deep': 2.4,
}


def test_every_network_has_a_tiny_sister_and_a_known_shape():
    assert set(NETWORKS) == set(tiny.CONFIGS) == set(FULL_SIZE_SHAPES)


@pytest.mark.parametrize('name', sorted(NETWORKS))
def test_full_size_has_the_known_parameters_and_output_shapes(name):
    network = NETWORKS[name]
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, *network.image], 'input')
        network.build(images, network.config)

    variables = graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
    assert sum(v.shape.num_elements() for v in variables) == network.parameters
    assert output_shapes(graph, name) == FULL_SIZE_SHAPES[name]


@pytest.mark.parametrize('name', sorted(PUBLISHED_MILLIONS))
def test_parameters_are_those_of_the_paper(name):
    found = round(NETWORKS[name].parameters / 1e6, 1)

    assert found == PUBLISHED_MILLIONS[name]


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('name', sorted(NETWORKS))
def test_tiny_network_runs_and_its_output_depends_on_the_image(name, resource):
    graph = tiny.build(name, resource)

    outputs = NETWORKS[name].outputs
    model = test_networks.model_of(graph, outputs)
    arrays = random_weights.random_arrays(model)
    frozen = freeze.freeze(model, {v.node: arrays[v.key] for v in model.variables})
    first, second = (
        verify.run(frozen, outputs, feeds.random_inputs(frozen, seed))
        for seed in (0, 1)
    )

    for output, a, b in zip(outputs, first, second):
        known = output_shapes(graph, name)[output]
        assert list(a.shape[1:]) == known[1:]
        assert np.abs(a - b).max() > 1e-3 * np.abs(a).max()


@pytest.mark.parametrize('name', sorted(set(NETWORKS) - {'mobilenet_v2_se'}))
def test_variables_are_of_the_kind_that_the_scope_asks_for(name):
    kinds = {
        resource: {
            variable.op.type
            for variable in tiny.build(name, resource).get_collection(
                tf.GraphKeys.GLOBAL_VARIABLES
            )
        }
        for resource in (False, True)
    }

    # MobileNetV2 promises ref variables in any scope.
    fixed = name == 'mobilenet_v2'
    assert kinds == {
        False: {'VariableV2'},
        True: {'VariableV2' if fixed else 'VarHandleOp'},
    }


def output_shapes(graph, name):
    outputs = NETWORKS[name].outputs
    return {o: graph.get_tensor_by_name(f'{o}:0').shape.as_list() for o in outputs}


def ops(graph, kind):
    return [op for op in graph.get_operations() if op.type == kind]


def test_heads_of_the_pyramid_share_their_weights_between_levels():
    graph = tiny.build('feature_pyramid')

    kernel = graph.get_tensor_by_name('boxes_head/predict/weights/read:0')
    assert len(kernel.consumers()) == 4
    variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    heads = [v.op.name for v in variables if v.op.name.startswith('boxes_head/')]
    assert heads == [
        'boxes_head/conv0/weights',
        'boxes_head/conv0/biases',
        'boxes_head/conv1/weights',
        'boxes_head/conv1/biases',
        'boxes_head/predict/weights',
        'boxes_head/predict/biases',
    ]


def test_pyramid_of_the_paper_has_five_levels():
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 64, 64, 3])
        config = feature_pyramid.Config(width=0.1, stages=((8, 1),) * 4)
        boxes, _ = feature_pyramid.build(images, config)

    assert boxes.shape.as_list() == [None, 9 * (64 + 16 + 4 + 1 + 1), 4]


def test_shuffle_interleaves_the_halves():
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], 'input')
        shufflenet_v2.build(images, tiny.CONFIGS['shufflenet_v2'])
        joined = graph.get_tensor_by_name('concat:0')
        shuffled = graph.get_tensor_by_name('Reshape_1:0')
        row = np.zeros([1, 2, 2, 16], np.float32) + np.arange(16, dtype=np.float32)
        with tf.Session() as session:
            found = session.run(shuffled, {joined: row})[0, 0, 0]

    assert found.tolist() == [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]


def test_ghost_module_slices_what_is_over():
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], 'input')
        ghostnet.build(images, tiny.CONFIGS['ghostnet'])

    slices = [op for op in ops(graph, 'StridedSlice') if op.inputs[0].shape.ndims == 4]
    widths = [(op.inputs[0].shape[-1], op.outputs[0].shape[-1]) for op in slices]
    assert widths == [(18, 16), (9, 8), (21, 20), (18, 16), (30, 28), (18, 16)]


def test_option_a_pads_channels_and_skips_pixels():
    graph = tiny.build('resnet_56')

    pads = [op.outputs[0].shape.as_list() for op in ops(graph, 'Pad')]
    assert pads == [[None, 16, 16, 16], [None, 8, 8, 24]]


@pytest.mark.parametrize(
    ('config', 'kind', 'other'),
    [
        (tiny.CONFIGS['unet'], 'Conv2DBackpropInput', 'ResizeNearestNeighbor'),
        (tiny.RESIZING_UNET, 'ResizeNearestNeighbor', 'Conv2DBackpropInput'),
    ],
)
def test_unet_upsamples_once_per_level(config, kind, other):
    with tf.Graph().as_default() as graph:
        unet.build(tf.placeholder(tf.float32, [None, 32, 32, 3]), config)

    assert len(ops(graph, kind)) == 2
    assert ops(graph, other) == []
