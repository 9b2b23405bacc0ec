"""MobileNet v1 (Howard et al., arXiv 1704.04861) as a plain TF1 graph."""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Layers, Scaled

# Table 1 of the paper: output width and stride of each separable convolution. The last
# stride is 1: with the 2 that the table prints the sizes do not fit.
STANDARD_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      stem_channels: width of the first convolution.
      blocks: width and stride of each depthwise separable convolution.
    """

    stem_channels: int = 32
    blocks: Tuple[Tuple[int, int], ...] = STANDARD_BLOCKS


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers = Layers()
    stem = config.scaled(config.stem_channels)
    net = layers.conv('MobilenetV1/Conv', images, stem, 3, 2, tf.nn.relu6)
    for index, (channels, stride) in enumerate(config.blocks):
        scope = f'MobilenetV1/separable_{index + 1}'
        net = layers.depthwise(f'{scope}/depthwise', net, 3, stride, tf.nn.relu6)
        channels = config.scaled(channels)
        net = layers.conv(f'{scope}/pointwise', net, channels, activation=tf.nn.relu6)
    return layers_lib.pooled_classifier('MobilenetV1', net, config.classes)
