"""Criteria that look at activations while the model works on data.

Each function gets activations x and the gradient g of the loss at them, both `[batch,
places, channels]`, where a place is a pixel, and returns `[channels]`. If the loss is a
mean over the batch, g holds the factor 1 / batch.
"""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import ACTIVATIONS


@registry.register_data('taylor_rs', ACTIVATIONS)
def removal_saliency(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """Change of the loss if the channel is removed, to first order.

    Molchanov et al. (arXiv 1611.06440) without the magnitude:

        I(c) = mean over examples of (mean over places of -x g)
    """
    return tf.reduce_mean(_removal(x, g), axis=0)


@registry.register_data('taylor_abs_rs', ACTIVATIONS)
def absolute_removal_saliency(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """Magnitude of the change of each example's loss if the channel is removed.

    Molchanov et al. (arXiv 1611.06440, the criterion Taylor):

        I(c) = mean over examples of |mean over places of x g|
    """
    return tf.reduce_mean(tf.abs(_removal(x, g)), axis=0)


@registry.register_data('taylor_mrs', ACTIVATIONS)
def mean_replacement_saliency(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """Change of the loss if the channel takes its mean value, to first order.

    Evci et al. (arXiv 1806.06068), with m(c) the channel's mean over the
    batch:

        I(c) = mean over examples of (mean over places of (m(c) - x) g)
    """
    return tf.reduce_mean(_replacement(x, g), axis=0)


@registry.register_data('taylor_abs_mrs', ACTIVATIONS)
def absolute_mean_replacement_saliency(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """Magnitude of the change of each example's loss if the channel takes its mean.

    Evci et al. (arXiv 1806.06068):

        I(c) = mean over examples of |mean over places of (m(c) - x) g|
    """
    return tf.reduce_mean(tf.abs(_replacement(x, g)), axis=0)


@registry.register_data(
    'apoz', ACTIVATIONS, finish=lambda share: share, derivative='', is_share=True
)
def share_of_zeros(x: tf.Tensor) -> tf.Tensor:
    """Average percentage of zeros, as a share (Hu et al., arXiv 1607.03250).

    S(c) = #{x = 0} / #{x} over examples and places; channels that are mostly 0 go.
    """
    return tf.reduce_mean(tf.cast(tf.equal(x, 0), tf.float32), axis=[0, 1])


@registry.register_data('activation_mean', ACTIVATIONS, derivative='')
def mean_magnitude(x: tf.Tensor) -> tf.Tensor:
    """Mean magnitude of the activations (Molchanov et al., 1611.06440, section 2.2).

    I(c) = mean of |x| over examples and places. Behind a ReLU that is the mean; where
    activations may be negative, the magnitude keeps them from cancelling.
    """
    return tf.reduce_mean(tf.abs(x), axis=[0, 1])


def _removal(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(-x * g, axis=1)


def _replacement(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(x, axis=[0, 1], keepdims=True)
    return tf.reduce_mean((mean - x) * g, axis=1)
