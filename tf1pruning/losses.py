"""How far the answers of a network are from those of another, as TensorFlow tensors."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

# Smaller probabilities count as this: the logarithm of zero has no derivative.
_LEAST = 1e-12


def squared_difference(student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """The mean squared difference, a scalar."""
    return tf.reduce_mean(tf.square(_single(student) - _single(teacher)))


def divergence(student: tf.Tensor, teacher: tf.Tensor, temperature: float) -> tf.Tensor:
    """The divergence of the softmax of logits from that of a teacher, a scalar.

    `T^2 * KL(softmax(teacher / T), softmax(student / T))`, the mean over all but the
    last axis (Hinton et al., arXiv 1503.02531, section 2).

    Args:
      student: logits `[..., classes]`.
      teacher: logits of the same shape.
      temperature: `T`; the larger, the more the small probabilities count.
    """
    found = tf.nn.log_softmax(_single(student) / temperature)
    wanted = tf.nn.log_softmax(_single(teacher) / temperature)
    total = tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)
    return temperature**2 * tf.reduce_mean(total)


def logits_of(probabilities: tf.Tensor) -> tf.Tensor:
    """Logits whose softmax gives these probabilities."""
    return tf.log(tf.maximum(_single(probabilities), _LEAST))


def _single(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32)
