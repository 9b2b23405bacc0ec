"""Criteria that look at the gradients of weights.

Each function gets the weights w that make the channels and the gradient g of a batch's
loss at them (for GraSP: the product of Hessian and mean gradient), both `[channels,
everything else]`. What it returns is averaged over the batches; `E` below.
"""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import HESSIAN, SCALES, WEIGHTS


def _small_magnitude(mean: np.ndarray) -> np.ndarray:
    return -np.abs(mean)


def _small_sum(mean: np.ndarray) -> np.ndarray:
    return -np.abs(mean).sum(axis=1)


@registry.register_data('loss_based', WEIGHTS, finish=_small_sum)
def product(w: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """First-order change of the loss, weight by weight (Lubana and Dick, 2009.11839).

    I(c) = sum of |w E[g]| over the weights of the channel.
    """
    return w * g


@registry.register_data('tfo', WEIGHTS, finish=_small_magnitude)
def summed_product(w: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """First-order change of the loss if the whole filter goes.

    Molchanov et al. (arXiv 1906.10771, before the square):

        I(c) = |sum of w E[g] over the weights of the channel|
    """
    return tf.reduce_sum(w * g, axis=1)


@registry.register_data('biased_loss', WEIGHTS, finish=_small_sum)
def magnitude_times_product(w: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """Loss-based saliency, biased to large weights (Lubana and Dick, 2009.11839).

    I(c) = sum of |w| |w E[g]| over the weights of the channel.
    """
    return tf.abs(w) * w * g


@registry.register_data('biased_loss_init', WEIGHTS, finish=_small_sum, from_start=True)
def distance_times_product(w: tf.Tensor, g: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Loss-based saliency, biased to weights that moved (Lubana and Dick, 2009.11839).

    With s the weight before training:

        I(c) = sum of |w - s| |w E[g]| over the weights of the channel
    """
    return (w - start) * w * g


@registry.register_data('fisher', WEIGHTS)
def squared_product(w: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """Second-order change of the loss, by the Fisher information (1801.05787).

    I(c) = sum of w^2 E[g^2] over the weights of the channel. g is the gradient of a
    batch, so small batches come nearer to the Fisher information.
    """
    return tf.reduce_sum(tf.square(w * g), axis=1)


@registry.register_data('fisher_bn', SCALES)
def squared_product_of_scales(w: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
    """The Fisher criterion on the batch norm behind a channel (1906.10771).

    I(c) = gamma^2 E[g_gamma^2] + beta^2 E[g_beta^2]
    """
    return squared_product(w, g)


@registry.register_data('grasp', WEIGHTS, derivative=HESSIAN)
def gradient_flow(w: tf.Tensor, hg: tf.Tensor) -> tf.Tensor:
    """Change of the gradient's norm if the channel goes (GraSP, arXiv 2002.07376).

    I(c) = sum of w (H E[g]) over the weights of the channel, with its sign. The
    paper's softmax has the temperature 200: see `scoring.loss_model.tempered`.
    """
    return tf.reduce_sum(w * hg, axis=1)


@registry.register_data(
    'grad_preserve', WEIGHTS, finish=_small_magnitude, derivative=HESSIAN
)
def preserved_gradient_flow(w: tf.Tensor, hg: tf.Tensor) -> tf.Tensor:
    """Magnitude of that change (Lubana and Dick, arXiv 2009.11839).

    I(c) = |sum of w (H E[g]) over the weights of the channel|
    """
    return gradient_flow(w, hg)
