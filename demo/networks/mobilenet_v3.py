"""MobileNetV3 (Howard et al., arXiv 1905.02244) as a plain TF1 graph."""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import InvertedResidual, Layers, Scaled, hard_swish


@dataclasses.dataclass(frozen=True)
class Block:
    """A row of the paper's tables: `exp size`, `#out`, kernel, `s`, `SE`, `NL`."""

    expanded: int
    channels: int
    kernel: int
    stride: int
    gated: bool
    hard: bool


# Table 1 of the paper.
LARGE_BLOCKS = (
    Block(16, 16, 3, 1, gated=False, hard=False),
    Block(64, 24, 3, 2, gated=False, hard=False),
    Block(72, 24, 3, 1, gated=False, hard=False),
    Block(72, 40, 5, 2, gated=True, hard=False),
    Block(120, 40, 5, 1, gated=True, hard=False),
    Block(120, 40, 5, 1, gated=True, hard=False),
    Block(240, 80, 3, 2, gated=False, hard=True),
    Block(200, 80, 3, 1, gated=False, hard=True),
    Block(184, 80, 3, 1, gated=False, hard=True),
    Block(184, 80, 3, 1, gated=False, hard=True),
    Block(480, 112, 3, 1, gated=True, hard=True),
    Block(672, 112, 3, 1, gated=True, hard=True),
    Block(672, 160, 5, 2, gated=True, hard=True),
    Block(960, 160, 5, 1, gated=True, hard=True),
    Block(960, 160, 5, 1, gated=True, hard=True),
)


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network; the default is MobileNetV3-Large.

    Attributes:
      stem_channels: width of the first convolution.
      blocks: the inverted-residual blocks.
      last_channels: width of the last convolution.
      head_channels: width of the dense layer behind the pooling; not scaled.
    """

    stem_channels: int = 16
    blocks: Tuple[Block, ...] = LARGE_BLOCKS
    last_channels: int = 960
    head_channels: int = 1280


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers = Layers()
    scope = 'MobilenetV3'
    stem = config.scaled(config.stem_channels)
    net = layers.conv(f'{scope}/Conv', images, stem, 3, 2, hard_swish)
    for index, row in enumerate(config.blocks):
        block = _inverted_residual(config, row)
        net = layers_lib.inverted_residual(layers, f'{scope}/block_{index}', net, block)
    last = config.scaled(config.last_channels)
    net = layers.conv(f'{scope}/Conv_1', net, last, activation=hard_swish)
    net = tf.reduce_mean(net, [1, 2])
    net = layers_lib.dense(
        f'{scope}/Head', net, config.head_channels, activation=hard_swish
    )
    return layers_lib.classifier(scope, net, config.classes)


def _inverted_residual(config: Config, row: Block) -> InvertedResidual:
    expanded = config.scaled(row.expanded)
    return InvertedResidual(
        expanded=expanded,
        channels=config.scaled(row.channels),
        kernel=row.kernel,
        stride=row.stride,
        squeezed=layers_lib.make_divisible(expanded // 4, 8) if row.gated else 0,
        activation=hard_swish if row.hard else tf.nn.relu,
        gate=layers_lib.hard_sigmoid,
    )
