"""LeNet-300-100, without biases by default, as a plain TF1 graph.

LeCun et al., "Gradient-based learning applied to document recognition" (1998), section
III.A; in the pruning literature since Han et al. (arXiv 1506.02626).
"""

from __future__ import annotations

import dataclasses
from typing import Tuple

import tensorflow.compat.v1 as tf

from demo.networks import layers
from demo.networks.layers import Scaled

DEEP = (1000, 1000, 500, 200)


@dataclasses.dataclass(frozen=True)
class Config(Scaled):
    """The shape of the network.

    Attributes:
      hidden: widths of the dense layers before the last one; those of
        github.com/justincosentino/network-pruning are `DEEP`.
      biases: whether the layers have them.
    """

    classes: int = 10
    hidden: Tuple[int, ...] = (300, 100)
    biases: bool = False


def build(images: tf.Tensor, config: Config) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, height, width, channels]`.

    Height and width must be static: the image is flattened.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    net = layers.flatten(images)
    for index, channels in enumerate(config.hidden):
        channels = config.scaled(channels, 4)
        net = layers.dense(f'MLP/fc{index + 1}', net, channels, bias=config.biases)
        net = tf.nn.relu(net)
    net = layers.dense('MLP/Logits', net, config.classes, bias=config.biases)
    return tf.identity(net, name='output')
