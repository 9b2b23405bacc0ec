"""U-Net (Ronneberger et al., arXiv 1505.04597) as a plain TF1 graph.

As it is built today: SAME convolutions with batch norm, so that maps need no cropping.
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Layers, Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      levels: width of each level, the last one at the bottom.
      transposed: upsample by a transposed convolution; otherwise resize to the nearest
        pixel and convolve.
    """

    classes: int = 2
    levels: Tuple[int, ...] = (64, 128, 256, 512, 1024)
    transposed: bool = True


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static multiples of 2 to the number of levels less one.

    Returns:
      Logits `[batch, height, width, classes]`; the node is named `output`.
    """
    layers = Layers()
    scope = 'UNet'
    widths = [config.scaled(level) for level in config.levels]
    net = _double_conv(layers, f'{scope}/down0', images, widths[0])
    skips = []
    for level, channels in enumerate(widths[1:]):
        skips.append(net)
        net = layers_lib.max_pool(net, 2)
        net = _double_conv(layers, f'{scope}/down{level + 1}', net, channels)
    for level, channels in reversed(list(enumerate(widths[:-1]))):
        upsample = _transposed_conv if config.transposed else _resized_conv
        net = upsample(f'{scope}/up{level}/upsample', net, channels)
        net = tf.concat([skips[level], net], axis=3)
        net = _double_conv(layers, f'{scope}/up{level}', net, channels)
    net = layers_lib.biased_conv(f'{scope}/Logits', net, config.classes)
    return tf.identity(net, name='output')


def _double_conv(
    layers: Layers, scope: str, net: tf.Tensor, channels: int
) -> tf.Tensor:
    for name in ('conv1', 'conv2'):
        net = layers.conv(
            f'{scope}/{name}', net, channels, kernel=3, activation=tf.nn.relu
        )
    return net


def _transposed_conv(scope: str, net: tf.Tensor, channels: int) -> tf.Tensor:
    with tf.variable_scope(scope):
        height, width, inputs = net.shape.as_list()[1:]
        weights = tf.get_variable('weights', [2, 2, channels, inputs])
        shape = tf.stack([tf.shape(net)[0], 2 * height, 2 * width, channels])
        net = tf.nn.conv2d_transpose(net, weights, shape, strides=2)
        return tf.nn.bias_add(net, layers_lib.biases(channels))


def _resized_conv(scope: str, net: tf.Tensor, channels: int) -> tf.Tensor:
    height, width = net.shape.as_list()[1:3]
    net = tf.image.resize_nearest_neighbor(net, [2 * height, 2 * width])
    return layers_lib.biased_conv(scope, net, channels, kernel=2)
