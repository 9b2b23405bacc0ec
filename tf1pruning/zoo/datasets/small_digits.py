"""The digits of scikit-learn as one data set among others, 8x8, without a folder."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.zoo import digits
from tf1pruning.zoo.datasets import registry
from tf1pruning.zoo.datasets.values import Dataset, Split

# Their pixels are 0 to 16.
_FACTOR = 255 / 16


@registry.register('digits', needs_folder=False)
def small_digits(_: str) -> Dataset:
    """1258 + 539 handwritten digits of 8x8 pixels."""
    train, test = (_split(each) for each in digits.load())
    return Dataset('digits', train, test, digits.CLASSES, (8, 8, 1))


def _split(split: digits.Split) -> Split:
    images = np.round(split.images * _FACTOR).astype(np.uint8)
    return Split(
        lambda: tf.data.Dataset.from_tensor_slices((images, split.labels)), len(images)
    )
