"""Every network of the zoo for 32 x 32 images and with few channels.

Odd numbers of channels where the network allows them, and every kind of block once.
"""

from __future__ import annotations

import functools
from typing import Dict

import tensorflow.compat.v1 as tf

from demo.networks import (
    alexnet,
    catalogue,
    efficientnet,
    feature_pyramid,
    ghostnet,
    mlp,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    resnet_cifar,
    shufflenet_v2,
    small_conv,
    squeezenet,
    super_resolution,
    unet,
    vgg,
)
from demo.networks.layers import Scaled

CLASSES = 5

_MOBILENET_V2 = mobilenet_v2.MobileNetV2Config(
    classes=CLASSES,
    stages=(
        mobilenet_v2.Stage(1, 8, 1, 2),
        mobilenet_v2.Stage(3, 8, 2, 2),
        mobilenet_v2.Stage(2, 16, 1, 2),
    ),
    stem_channels=8,
    head_channels=16,
)

CONFIGS: Dict[str, Scaled] = {
    'mobilenet_v1': mobilenet_v1.Config(
        CLASSES, stem_channels=8, blocks=((16, 1), (16, 2), (24, 2))
    ),
    'mobilenet_v2': _MOBILENET_V2,
    'mobilenet_v2_se': mobilenet_v2.MobileNetV2Config(
        classes=CLASSES,
        stages=_MOBILENET_V2.stages,
        squeeze_excites=(
            mobilenet_v2.SqueezeExcite(after=1),
            mobilenet_v2.SqueezeExcite(after=3),
        ),
        stem_channels=8,
        head_channels=16,
    ),
    'mobilenet_v3': mobilenet_v3.Config(
        CLASSES,
        stem_channels=8,
        blocks=(
            mobilenet_v3.Block(8, 8, 3, 1, gated=False, hard=False),
            mobilenet_v3.Block(24, 16, 5, 2, gated=True, hard=False),
            mobilenet_v3.Block(40, 16, 3, 1, gated=True, hard=True),
        ),
        last_channels=24,
        head_channels=16,
    ),
    'efficientnet_b0': efficientnet.Config(
        CLASSES,
        stem_channels=8,
        stages=(
            efficientnet.Stage(1, 16, repeats=1, kernel=3, stride=1),
            efficientnet.Stage(2, 24, repeats=2, kernel=5, stride=2),
        ),
        head_channels=32,
    ),
    'shufflenet_v2': shufflenet_v2.Config(
        CLASSES, stem_channels=8, stages=((16, 2), (32, 3)), head_channels=16
    ),
    'squeezenet': squeezenet.Config(
        CLASSES,
        stem_channels=8,
        stages=(((8, 8), (8, 16)), ((16, 16),)),
    ),
    'ghostnet': ghostnet.Config(
        CLASSES,
        stem_channels=8,
        blocks=(
            ghostnet.Block(16, 8, 3),
            ghostnet.Block(20, 16, 5, stride=2, gated=True),
            ghostnet.Block(28, 16, 3),
        ),
        last_channels=24,
        head_channels=16,
        # Three does not divide any of the widths: every module slices.
        ratio=3,
    ),
    'unet': unet.Config(classes=2, levels=(8, 16, 24)),
    'feature_pyramid': feature_pyramid.Config(
        classes=3,
        stem_channels=8,
        stages=((8, 1), (8, 2), (16, 1)),
        pyramid_channels=16,
        head_depth=2,
        anchors=2,
    ),
    'super_resolution': super_resolution.Config(channels=8, blocks=2),
    'resnet_18': resnet.Config(CLASSES, stages=((8, 1), (16, 2))),
    'resnet_34': resnet.Config(CLASSES, stages=((8, 2), (16, 1)), small_images=True),
    'resnet_20': resnet_cifar.Config(classes=CLASSES, stages=(8, 16), repeats=1),
    'resnet_56': resnet_cifar.Config(classes=CLASSES, stages=(8, 16, 24), repeats=2),
    'small_conv': small_conv.Config(CLASSES, channels=(8, 16), hidden=(16,)),
    'alexnet': alexnet.Config(
        CLASSES,
        convs=(
            alexnet.Conv(8, 11, stride=4, pooled=True),
            alexnet.Conv(16, 5),
            alexnet.Conv(8, 3, pooled=True),
        ),
        hidden=(32, 16),
    ),
    'vgg_11': vgg.Config(classes=CLASSES, stages=((8, 1), (16, 1)), hidden=(16,)),
    'vgg_13': vgg.Config(classes=CLASSES, stages=((8, 2), (16, 2)), hidden=(24, 16)),
    'vgg_16': vgg.Config(classes=CLASSES, stages=((8, 2), (16, 3)), hidden=(16,)),
    'vgg_19': vgg.Config(classes=CLASSES, stages=((8, 1), (16, 4)), hidden=(16, 16)),
    'mlp': mlp.Config(classes=CLASSES, hidden=(20, 12)),
    'mlp_deep': mlp.Config(classes=CLASSES, hidden=(24, 20, 16, 12)),
}

# The resize that stands in for the transposed convolution.
RESIZING_UNET = unet.Config(classes=2, levels=(8, 16, 24), transposed=False)

SIZE = 32


@functools.lru_cache(maxsize=None)
def build(name: str, resource: bool = False) -> tf.Graph:
    """A graph that holds one of the networks; its input is `input`. Not to change."""
    network = catalogue.NETWORKS[name]
    with tf.Graph().as_default() as graph:
        shape = [None, SIZE, SIZE, network.image[2]]
        images = tf.placeholder(tf.float32, shape, 'input')
        with tf.variable_scope('', use_resource=resource):
            network.build(images, CONFIGS[name])
    return graph


def meta_graph(name: str, resource: bool = False) -> tf.MetaGraphDef:
    """The same as a meta graph."""
    return tf.train.export_meta_graph(graph=build(name, resource))
