"""AlexNet in one column (Krizhevsky, arXiv 1404.5997) as a plain TF1 graph.

Without local response normalization, which later networks left out, too.
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers
from demo.networks.layers import Scaled


@dataclasses.dataclass(frozen=True)
class Conv:
    """A convolution.

    Attributes:
      channels: that it makes.
      kernel: height and width of the kernel.
      stride: of the convolution.
      pooled: whether a pooling lies behind it.
    """

    channels: int
    kernel: int
    stride: int = 1
    pooled: bool = False


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      convs: the convolutions.
      hidden: widths of the dense layers before the last one.
    """

    convs: Tuple[Conv, ...] = (
        Conv(64, 11, stride=4, pooled=True),
        Conv(192, 5, pooled=True),
        Conv(384, 3),
        Conv(256, 3),
        Conv(256, 3, pooled=True),
    )
    hidden: Tuple[int, ...] = (4096, 4096)


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static: the last feature map is flattened.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    net = images
    for index, conv in enumerate(config.convs):
        net = layers.biased_conv(
            f'AlexNet/conv{index + 1}',
            net,
            config.scaled(conv.channels),
            conv.kernel,
            conv.stride,
            tf.nn.relu,
        )
        if conv.pooled:
            net = layers.max_pool(net, 3, 'VALID')
    hidden = [config.scaled(channels) for channels in config.hidden]
    net = layers.flatten(net)
    return layers.classifier('AlexNet', net, config.classes, hidden)
