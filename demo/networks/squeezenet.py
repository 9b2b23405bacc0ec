"""SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360) as a plain TF1 graph."""

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
      stem_channels: width of the first convolution.
      stages: per stage the (squeeze, expand) widths of its fire modules; a pooling lies
        before each stage. A fire module gives twice its expand width.
    """

    stem_channels: int = 64
    stages: Tuple[Tuple[Tuple[int, int], ...], ...] = (
        ((16, 64), (16, 64)),
        ((32, 128), (32, 128)),
        ((48, 192), (48, 192), (64, 256), (64, 256)),
    )


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    scope = 'SqueezeNet'
    stem = config.scaled(config.stem_channels)
    net = layers.biased_conv(f'{scope}/Conv', images, stem, 3, 2, tf.nn.relu)
    number = 2  # As the paper counts them.
    for stage in config.stages:
        net = layers.max_pool(net, 3)
        for squeeze, expand in stage:
            squeeze, expand = config.scaled(squeeze), config.scaled(expand)
            net = _fire(f'{scope}/fire{number}', net, squeeze, expand)
            number += 1
    net = layers.biased_conv(
        f'{scope}/Conv_1', net, config.classes, activation=tf.nn.relu
    )
    return tf.reduce_mean(net, [1, 2], name='output')


def _fire(scope: str, net: tf.Tensor, squeeze: int, expand: int) -> tf.Tensor:
    """Squeeze 1x1, then expand by 1x1 and by 3x3 side by side."""
    net = layers.biased_conv(f'{scope}/squeeze', net, squeeze, activation=tf.nn.relu)
    narrow = layers.biased_conv(
        f'{scope}/expand1x1', net, expand, activation=tf.nn.relu
    )
    wide = layers.biased_conv(
        f'{scope}/expand3x3', net, expand, 3, activation=tf.nn.relu
    )
    return tf.concat([narrow, wide], axis=3)
