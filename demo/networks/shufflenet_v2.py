"""ShuffleNet v2 (Ma et al., arXiv 1807.11164) as a plain TF1 graph."""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Layers, Scaled

# All widths are multiples of it, so that their halves are even.
_MULTIPLE = 4


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network; the default is table 5 of the paper at 1x.

    Attributes:
      stem_channels: width of the first convolution.
      stages: width and number of units of each stage; the first unit has stride 2.
      head_channels: width of the last convolution.
    """

    stem_channels: int = 24
    stages: Tuple[Tuple[int, int], ...] = ((116, 4), (232, 8), (464, 4))
    head_channels: int = 1024


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static: the channel shuffle reshapes.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers = Layers()
    scope = 'ShuffleNetV2'
    stem = config.scaled(config.stem_channels, _MULTIPLE)
    net = layers.conv(f'{scope}/Conv', images, stem, 3, 2, tf.nn.relu)
    net = layers_lib.max_pool(net, 3)
    for stage, (channels, repeats) in enumerate(config.stages):
        half = config.scaled(channels, _MULTIPLE) // 2
        net = _reducing_unit(layers, f'{scope}/stage{stage}_0', net, half)
        for repeat in range(1, repeats):
            net = _unit(layers, f'{scope}/stage{stage}_{repeat}', net)
    head = config.scaled(config.head_channels, _MULTIPLE)
    net = layers.conv(f'{scope}/Conv_1', net, head, activation=tf.nn.relu)
    return layers_lib.pooled_classifier(scope, net, config.classes)


def _unit(layers: Layers, scope: str, net: tf.Tensor) -> tf.Tensor:
    """One half of the channels passes, the other goes through the branch."""
    passed, net = tf.split(net, 2, axis=3)
    net = _branch(layers, f'{scope}/branch', net, net.shape.as_list()[-1], stride=1)
    return _shuffle(tf.concat([passed, net], axis=3))


def _reducing_unit(layers: Layers, scope: str, net: tf.Tensor, half: int) -> tf.Tensor:
    """Both branches see all channels and halve the resolution."""
    passed = layers.depthwise(f'{scope}/shortcut/depthwise', net, stride=2)
    passed = layers.conv(
        f'{scope}/shortcut/project', passed, half, activation=tf.nn.relu
    )
    net = _branch(layers, f'{scope}/branch', net, half, stride=2)
    return _shuffle(tf.concat([passed, net], axis=3))


def _branch(
    layers: Layers, scope: str, net: tf.Tensor, channels: int, stride: int
) -> tf.Tensor:
    net = layers.conv(f'{scope}/expand', net, channels, activation=tf.nn.relu)
    net = layers.depthwise(f'{scope}/depthwise', net, stride=stride)
    return layers.conv(f'{scope}/project', net, channels, activation=tf.nn.relu)


def _shuffle(net: tf.Tensor) -> tf.Tensor:
    """Interleaves the two halves of the channels."""
    height, width, channels = net.shape.as_list()[1:]
    net = tf.reshape(net, [-1, height, width, 2, channels // 2])
    net = tf.transpose(net, [0, 1, 2, 4, 3])
    return tf.reshape(net, [-1, height, width, channels])
