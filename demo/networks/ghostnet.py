"""GhostNet (Han et al., arXiv 1911.11907) as a plain TF1 graph."""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Activation, Layers, Scaled, linear

_MULTIPLE = 4


@dataclasses.dataclass(frozen=True)
class Block:
    """A row of table 1 of the paper: `#exp`, `#out`, kernel, `Stride`, `SE`."""

    expanded: int
    channels: int
    kernel: int
    stride: int = 1
    gated: bool = False


STANDARD_BLOCKS = (
    Block(16, 16, 3),
    Block(48, 24, 3, stride=2),
    Block(72, 24, 3),
    Block(72, 40, 5, stride=2, gated=True),
    Block(120, 40, 5, gated=True),
    Block(240, 80, 3, stride=2),
    Block(200, 80, 3),
    Block(184, 80, 3),
    Block(184, 80, 3),
    Block(480, 112, 3, gated=True),
    Block(672, 112, 3, gated=True),
    Block(672, 160, 5, stride=2, gated=True),
    Block(960, 160, 5),
    Block(960, 160, 5, gated=True),
    Block(960, 160, 5),
    Block(960, 160, 5, gated=True),
)


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      stem_channels: width of the first convolution.
      blocks: the ghost bottlenecks.
      last_channels: width of the last convolution.
      head_channels: width of the layer behind the pooling; not scaled.
      ratio: maps per map that a ghost module computes by its full convolution. Where
        it does not divide the width, the maps over it are sliced away.
    """

    stem_channels: int = 16
    blocks: Tuple[Block, ...] = STANDARD_BLOCKS
    last_channels: int = 960
    head_channels: int = 1280
    ratio: int = 2


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers = Layers()
    scope = 'GhostNet'
    stem = config.scaled(config.stem_channels, _MULTIPLE)
    net = layers.conv(f'{scope}/Conv', images, stem, 3, 2, tf.nn.relu)
    for index, block in enumerate(config.blocks):
        net = _bottleneck(layers, f'{scope}/block_{index}', net, block, config)
    last = config.scaled(config.last_channels, _MULTIPLE)
    net = layers.conv(f'{scope}/Conv_1', net, last, activation=tf.nn.relu)
    net = tf.reduce_mean(net, [1, 2], keepdims=True)
    net = layers_lib.biased_conv(
        f'{scope}/Head', net, config.head_channels, activation=tf.nn.relu
    )
    return layers_lib.classifier(scope, layers_lib.flatten(net), config.classes)


def _bottleneck(
    layers: Layers, scope: str, net: tf.Tensor, block: Block, config: Config
) -> tf.Tensor:
    """Two ghost modules; between them the stride and the gate."""
    shortcut = net
    expanded = config.scaled(block.expanded, _MULTIPLE)
    channels = config.scaled(block.channels, _MULTIPLE)
    ratio = config.ratio
    net = _ghost(layers, f'{scope}/expand', net, expanded, ratio, tf.nn.relu)
    if block.stride > 1:
        net = layers.depthwise(f'{scope}/depthwise', net, block.kernel, block.stride)
    if block.gated:
        squeezed = layers_lib.make_divisible(expanded / 4, _MULTIPLE)
        net = layers_lib.squeeze_excite(
            f'{scope}/squeeze_excite', net, squeezed, gate=layers_lib.hard_sigmoid
        )
    net = _ghost(layers, f'{scope}/project', net, channels, ratio, linear)
    if block.stride > 1 or shortcut.shape.as_list()[-1] != channels:
        shortcut = layers.depthwise(
            f'{scope}/shortcut/depthwise', shortcut, block.kernel, block.stride
        )
        shortcut = layers.conv(f'{scope}/shortcut/project', shortcut, channels)
    return net + shortcut


def _ghost(
    layers: Layers,
    scope: str,
    net: tf.Tensor,
    channels: int,
    ratio: int,
    activation: Activation,
) -> tf.Tensor:
    """Maps of a full convolution, and cheap depthwise images of them."""
    computed = -(-channels // ratio)
    maps = [layers.conv(f'{scope}/primary', net, computed, activation=activation)]
    for number in range(1, ratio):
        cheap = f'{scope}/cheap_{number}'
        maps.append(layers.depthwise(cheap, maps[0], activation=activation))
    return tf.concat(maps, axis=3)[:, :, :, :channels]
