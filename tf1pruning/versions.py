"""What the installed TensorFlow has, and which version has what it lacks."""

from __future__ import annotations

from typing import Any

import tensorflow.compat.v1 as tf

from tf1pruning.errors import WorkflowError

IS_2 = tf.__version__.split('.')[0] == '2'


def has_estimator() -> bool:
    """Whether there is `tf.estimator`; it ended with TensorFlow 2.15."""
    return hasattr(tf, 'estimator')


def estimator() -> Any:
    """The module `tf.estimator`.

    Raises:
      WorkflowError: if this TensorFlow has none.
    """
    if not has_estimator():
        raise WorkflowError(
            f'TensorFlow {tf.__version__} has no tf.estimator, which ended with 2.15. '
            'Train in a session with PruningHook, or with Keras, or install TensorFlow '
            '1.15 or 2.15.1.'
        )
    return tf.estimator
