"""EDSR baseline (Lim et al., arXiv 1707.02921) as a plain TF1 graph.

Enlarges by pixel shuffle (Shi et al., arXiv 1609.05158). The shift by the mean colour
of the training images is left out.
"""

from __future__ import annotations

import dataclasses

import tensorflow.compat.v1 as tf

from demo.networks import layers
from demo.networks.layers import Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      channels: width of the feature maps.
      blocks: number of residual blocks.
      scale: factor by which height and width grow.
    """

    classes: int = 3
    channels: int = 64
    blocks: int = 16
    scale: int = 2


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, 3]`.

    Returns:
      Images `[batch, scale * height, scale * width, classes]`; the node is named
      `output`.
    """
    scope = 'EDSR'
    channels = config.scaled(config.channels)
    head = layers.biased_conv(f'{scope}/head', images, channels, 3)
    net = head
    for index in range(config.blocks):
        block = f'{scope}/block_{index}'
        inner = layers.biased_conv(
            f'{block}/conv1', net, channels, 3, activation=tf.nn.relu
        )
        net = net + layers.biased_conv(f'{block}/conv2', inner, channels, 3)
    net = head + layers.biased_conv(f'{scope}/body', net, channels, 3)
    enlarged = channels * config.scale**2
    net = layers.biased_conv(f'{scope}/upsample', net, enlarged, 3)
    net = tf.depth_to_space(net, config.scale)
    net = layers.biased_conv(f'{scope}/tail', net, config.classes, 3)
    return tf.identity(net, name='output')
