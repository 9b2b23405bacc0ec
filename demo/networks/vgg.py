"""VGG (Simonyan and Zisserman, arXiv 1409.1556, table 1) as a plain TF1 graph.

Columns A, B, D and E are VGG-11, -13, -16 and -19.
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers
from demo.networks.layers import Scaled


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network; the default is VGG-13.

    Attributes:
      stages: width and number of convolutions of each stage; a pooling lies behind it.
      hidden: widths of the dense layers before the last one.
    """

    stages: Tuple[Tuple[int, int], ...] = (
        (64, 2),
        (128, 2),
        (256, 2),
        (512, 2),
        (512, 2),
    )
    hidden: Tuple[int, ...] = (4096, 4096)


def stages(*repeats: int) -> Tuple[Tuple[int, int], ...]:
    """Stages of the usual widths with other numbers of convolutions.

    >>> stages(1, 1, 2, 2, 2)
    ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))
    """
    return tuple(zip((64, 128, 256, 512, 512), repeats))


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static: the last feature map is flattened.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    net = images
    for stage, (channels, repeats) in enumerate(config.stages):
        channels = config.scaled(channels)
        for repeat in range(repeats):
            scope = f'VGG/conv{stage + 1}_{repeat + 1}'
            net = layers.biased_conv(scope, net, channels, 3, activation=tf.nn.relu)
        net = layers.max_pool(net, 2)
    hidden = [config.scaled(channels) for channels in config.hidden]
    net = layers.flatten(net)
    return layers.classifier('VGG', net, config.classes, hidden)
