"""ResNet-18 and -34 (He et al., arXiv 1512.03385, table 1) as a plain TF1 graph.

Shortcuts are option B: a strided 1x1 convolution where the shape changes.
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Layers, Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      stages: width and number of blocks of each stage; every stage but the first halves
        the resolution.
      small_images: whether the stem is a 3x3 convolution without stride and pooling, as
        for images of 32 x 32 pixels in github.com/EkdeepSLubana/flowandprune.
    """

    stages: Tuple[Tuple[int, int], ...] = ((64, 2), (128, 2), (256, 2), (512, 2))
    small_images: bool = False


RESNET_34_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers, scope = Layers(), 'ResNet'
    kernel, stride = (3, 1) if config.small_images else (7, 2)
    stem = config.scaled(config.stages[0][0])
    net = layers.conv(f'{scope}/Conv', images, stem, kernel, stride, tf.nn.relu)
    if not config.small_images:
        net = layers_lib.max_pool(net, 3)
    stages = [(config.scaled(width), repeats) for width, repeats in config.stages]
    maps = layers_lib.residual_stages(layers, scope, net, stages, _block)
    return layers_lib.pooled_classifier(scope, maps[-1], config.classes)


def _block(
    layers: Layers, scope: str, net: tf.Tensor, channels: int, stride: int
) -> tf.Tensor:
    shortcut = net
    if stride > 1 or channels != net.shape.as_list()[-1]:
        shortcut = layers.conv(f'{scope}/shortcut', net, channels, 1, stride)
    return layers_lib.basic_block(layers, scope, net, shortcut, channels, stride)
