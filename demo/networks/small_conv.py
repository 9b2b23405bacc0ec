"""A small convolutional network for images of 32 x 32 pixels as a plain TF1 graph.

Of the size of `small_conv` in github.com/google-research/deadunits, whose widths are
not published: convolutions with bias, each pooled, and dense layers.
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers
from demo.networks.layers import Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      channels: of each convolution.
      hidden: widths of the dense layers before the last one.
    """

    classes: int = 10
    channels: Tuple[int, ...] = (32, 64, 64)
    hidden: Tuple[int, ...] = (128,)


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static: the last feature map is flattened.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    net = images
    for index, channels in enumerate(config.channels):
        scope, channels = f'SmallConv/conv{index + 1}', config.scaled(channels)
        net = layers.biased_conv(scope, net, channels, 3, activation=tf.nn.relu)
        net = layers.max_pool(net, 2)
    hidden = [config.scaled(channels) for channels in config.hidden]
    net = layers.flatten(net)
    return layers.classifier('SmallConv', net, config.classes, hidden)
