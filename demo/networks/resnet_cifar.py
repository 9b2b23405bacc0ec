"""ResNets for CIFAR (He et al., arXiv 1512.03385, section 4.2) as a plain TF1 graph.

Shortcuts are option A: every second pixel, and zeros for the channels that are new.
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Layers, Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network; n blocks a stage make ResNet-(6 n + 2).

    Attributes:
      stages: width of each stage; every stage but the first halves the resolution.
      repeats: blocks per stage.
    """

    classes: int = 10
    stages: Tuple[int, ...] = (16, 32, 64)
    repeats: int = 9


def build(
    images: tf.Tensor,
    config: Config,
    layers: Layers = Layers(),  # noqa: B008 (frozen)
) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Args:
      images: what it reads.
      config: its shape.
      layers: what makes layers with batch norm, for inference or for training.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    scope = 'ResNet'
    stem = config.scaled(config.stages[0])
    net = layers.conv(f'{scope}/Conv', images, stem, 3, activation=tf.nn.relu)
    stages = [(config.scaled(width), config.repeats) for width in config.stages]
    maps = layers_lib.residual_stages(layers, scope, net, stages, _block)
    return layers_lib.pooled_classifier(scope, maps[-1], config.classes)


def _block(
    layers: Layers, scope: str, net: tf.Tensor, channels: int, stride: int
) -> tf.Tensor:
    shortcut = net[:, ::stride, ::stride, :] if stride > 1 else net
    added = channels - shortcut.shape.as_list()[-1]
    if added:
        before = added // 2
        shortcut = tf.pad(shortcut, [[0, 0]] * 3 + [[before, added - before]])
    return layers_lib.basic_block(layers, scope, net, shortcut, channels, stride)
