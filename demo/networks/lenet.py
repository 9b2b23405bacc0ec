"""LeNet-5 as Caffe has it, for images of 28 x 28 pixels, as a plain TF1 graph.

Its widths are 20, 50 and 500: examples/mnist/lenet.prototxt in github.com/BVLC/caffe.
"""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from demo.networks import layers

CHANNELS, HIDDEN, KERNEL = (20, 50), 500, 5


def build(images: tf.Tensor, classes: int = 10) -> tf.Tensor:
    """Adds the network to the graph of `images` `[batch, 28, 28, channels]`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    net = images
    for index, channels in enumerate(CHANNELS):
        scope = f'LeNet/conv{index + 1}'
        net = layers.biased_conv(scope, net, channels, KERNEL, padding='VALID')
        net = layers.max_pool(net, 2)
    return layers.classifier('LeNet', layers.flatten(net), classes, [HIDDEN])
