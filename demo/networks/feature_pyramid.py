"""RetinaNet (Lin et al., arXiv 1708.02002) on ResNet-50 as a plain TF1 graph.

Its two outputs are heads that all levels of a feature pyramid (arXiv 1612.03144) share:
each weight of a head is used once per level.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Layers, Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      stem_channels: width of the first convolution.
      stages: inner width and number of bottlenecks of each stage of the backbone; a
        bottleneck gives four times its inner width. The pyramid stands on all stages
        but the first, and adds two levels on top.
      pyramid_channels: width of the pyramid and of the heads.
      head_depth: hidden convolutions of each head.
      anchors: boxes per pixel.
    """

    classes: int = 91
    stem_channels: int = 64
    stages: Tuple[Tuple[int, int], ...] = ((64, 3), (128, 4), (256, 6), (512, 3))
    pyramid_channels: int = 256
    head_depth: int = 4
    anchors: int = 9


def build(images: tf.Tensor, config: Config) -> Tuple[tf.Tensor, tf.Tensor]:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static.

    Returns:
      Boxes `[batch, anchors of all levels, 4]` and scores, before their sigmoid,
      `[batch, anchors of all levels, classes]`; the nodes are `boxes` and `scores`.
    """
    pyramid = _pyramid(_backbone(images, config), config)
    boxes = [_head('boxes_head', level, 4, config) for level in pyramid]
    scores = [_head('scores_head', level, config.classes, config) for level in pyramid]
    # Logits: at the scale that random weights give them, about 1000, a sigmoid would
    # magnify rounding errors two hundred times.
    return (
        tf.concat(boxes, axis=1, name='boxes'),
        tf.concat(scores, axis=1, name='scores'),
    )


def _backbone(images: tf.Tensor, config: Config) -> List[tf.Tensor]:
    """Feature maps of all stages but the first (ResNet, arXiv 1512.03385)."""
    layers = Layers()
    stem = config.scaled(config.stem_channels)
    net = layers.conv('ResNet/Conv', images, stem, 7, 2, tf.nn.relu)
    net = layers_lib.max_pool(net, 3)
    stages = [(config.scaled(width), repeats) for width, repeats in config.stages]
    maps = layers_lib.residual_stages(layers, 'ResNet', net, stages, _bottleneck)
    return maps[1:]


def _bottleneck(
    layers: Layers, scope: str, net: tf.Tensor, channels: int, stride: int
) -> tf.Tensor:
    shortcut = net
    wide = 4 * channels
    if stride > 1 or shortcut.shape.as_list()[-1] != wide:
        shortcut = layers.conv(f'{scope}/shortcut', shortcut, wide, stride=stride)
    net = layers.conv(f'{scope}/conv1', net, channels, activation=tf.nn.relu)
    net = layers.conv(f'{scope}/conv2', net, channels, 3, stride, tf.nn.relu)
    net = layers.conv(f'{scope}/conv3', net, wide)
    return tf.nn.relu(net + shortcut)


def _pyramid(maps: Sequence[tf.Tensor], config: Config) -> List[tf.Tensor]:
    """Levels of one width, finest first: each map plus the coarser level, enlarged."""
    channels = config.scaled(config.pyramid_channels)
    coarser: Optional[tf.Tensor] = None
    levels: List[tf.Tensor] = []
    for stage, net in reversed(list(enumerate(maps))):
        net = layers_lib.biased_conv(f'pyramid/lateral{stage}', net, channels)
        if coarser is not None:
            size = net.shape.as_list()[1:3]
            net = net + tf.image.resize_nearest_neighbor(coarser, size)
        coarser = net
        level = layers_lib.biased_conv(f'pyramid/smooth{stage}', net, channels, 3)
        levels.insert(0, level)
    for name, activation in (('top0', layers_lib.linear), ('top1', tf.nn.relu)):
        net = activation(levels[-1])
        levels.append(layers_lib.biased_conv(f'pyramid/{name}', net, channels, 3, 2))
    return levels


def _head(scope: str, net: tf.Tensor, values: int, config: Config) -> tf.Tensor:
    """`[batch, anchors of the level, values]`; all levels share the variables."""
    channels = net.shape.as_list()[-1]
    pixels = net.shape.as_list()[1] * net.shape.as_list()[2]
    with tf.variable_scope(scope, reuse=tf.AUTO_REUSE):
        for depth in range(config.head_depth):
            net = layers_lib.biased_conv(
                f'conv{depth}', net, channels, 3, activation=tf.nn.relu
            )
        net = layers_lib.biased_conv('predict', net, config.anchors * values, 3)
    return tf.reshape(net, [-1, config.anchors * pixels, values])
