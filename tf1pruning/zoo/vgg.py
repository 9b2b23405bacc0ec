"""VGG-13 (Simonyan and Zisserman, arXiv 1409.1556, column B) as a plain TF1 graph."""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.zoo import layers
from tf1pruning.zoo.layers import Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      stages: width and number of convolutions of each stage; a pooling lies behind it.
      hidden: widths of the dense layers before the last one.
    """

    stages: Tuple[Tuple[int, int], ...] = (
        (64, 2),
        (128, 2),
        (256, 2),
        (512, 2),
        (512, 2),
    )
    hidden: Tuple[int, ...] = (4096, 4096)


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static: the last feature map is flattened.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    net = images
    for stage, (channels, repeats) in enumerate(config.stages):
        channels = config.scaled(channels)
        for repeat in range(repeats):
            scope = f'VGG/conv{stage + 1}_{repeat + 1}'
            net = layers.biased_conv(scope, net, channels, 3, activation=tf.nn.relu)
        net = layers.max_pool(net, 2)
    net = layers.flatten(net)
    for index, channels in enumerate(config.hidden):
        channels = config.scaled(channels)
        net = layers.dense(f'VGG/fc{index + 1}', net, channels, activation=tf.nn.relu)
    net = layers.dense('VGG/Logits', net, config.classes)
    return tf.identity(net, name='output')
