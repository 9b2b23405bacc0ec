"""EfficientNet-B0 (Tan and Le, arXiv 1905.11946) as a plain TF1 graph."""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import InvertedResidual, Layers, Scaled


@dataclasses.dataclass(frozen=True)
class Stage:
    """A row of table 1 of the paper; the first block has the stride."""

    expansion: int
    channels: int
    repeats: int
    kernel: int
    stride: int


B0_STAGES = (
    Stage(1, 16, repeats=1, kernel=3, stride=1),
    Stage(6, 24, repeats=2, kernel=3, stride=2),
    Stage(6, 40, repeats=2, kernel=5, stride=2),
    Stage(6, 80, repeats=3, kernel=3, stride=2),
    Stage(6, 112, repeats=3, kernel=5, stride=1),
    Stage(6, 192, repeats=4, kernel=5, stride=2),
    Stage(6, 320, repeats=1, kernel=3, stride=1),
)


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network; the default is EfficientNet-B0.

    Attributes:
      stem_channels: width of the first convolution.
      stages: runs of inverted-residual blocks.
      head_channels: width of the last convolution.
    """

    stem_channels: int = 32
    stages: Tuple[Stage, ...] = B0_STAGES
    head_channels: int = 1280


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers = Layers()
    scope = 'EfficientNet'
    stem = config.scaled(config.stem_channels)
    net = layers.conv(f'{scope}/Conv', images, stem, 3, 2, tf.nn.swish)
    index = 0
    for stage in config.stages:
        for repeat in range(stage.repeats):
            width = net.shape.as_list()[-1]
            stride = stage.stride if repeat == 0 else 1
            block = _inverted_residual(config, stage, width, stride)
            net = layers_lib.inverted_residual(
                layers, f'{scope}/block_{index}', net, block
            )
            index += 1
    head = config.scaled(config.head_channels)
    net = layers.conv(f'{scope}/Conv_1', net, head, activation=tf.nn.swish)
    return layers_lib.pooled_classifier(scope, net, config.classes)


def _inverted_residual(
    config: Config, stage: Stage, width: int, stride: int
) -> InvertedResidual:
    return InvertedResidual(
        expanded=width * stage.expansion,
        channels=config.scaled(stage.channels),
        kernel=stage.kernel,
        stride=stride,
        # A quarter of the block's input, not of its inner width.
        squeezed=max(1, width // 4),
        activation=tf.nn.swish,
        squeeze_activation=tf.nn.swish,
    )
