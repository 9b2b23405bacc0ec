"""The handwritten digits that ship with scikit-learn.

1797 real images of 8x8 pixels with values 0 to 16, from the UCI repository. They need
no download and have no test split of their own. Networks get them with 16x16 pixels.
"""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from demo.datasets import registry
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import OptionError, Tf1PruningError

CLASSES = 10
IMAGE = (16, 16, 1)


@registry.register('digits', needs_folder=False, has_test_split=False)
def digits(test_share: float, seed: int) -> Dataset:
    """Small handwritten digits.

    Args:
      test_share: share of the images that goes to the test split.
      seed: decides which images those are.

    Raises:
      OptionError: if one of the splits were empty.
      Tf1PruningError: if scikit-learn is not installed; says how to install it.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise Tf1PruningError(
            'The digits come from scikit-learn, which is not installed here. '
            'Install it with: pip install -r requirements-demo.txt'
        ) from error
    found = datasets.load_digits()
    images = found.images.astype(np.uint8)[..., np.newaxis]
    labels = found.target.astype(np.int32)
    tested = round(test_share * len(labels))
    if not 0 < tested < len(labels):
        raise OptionError(
            f'A test share of {test_share} is {tested} of {len(labels)} digits; '
            'expected some for tests and some for training.'
        )
    order = np.random.RandomState(seed).permutation(len(labels))
    parts = np.split(order, [len(labels) - tested])
    train, test = (_split(images[part], labels[part]) for part in parts)
    return Dataset(
        'digits',
        train,
        test,
        CLASSES,
        IMAGE,
        scaling='sixteenths',
        augmentation='shift_batch',
        enlarged=True,
    )


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    # The small images go into the graph, and so into every saved meta graph; they are
    # resized in the pipeline, which keeps that at 90 KB instead of 1.5 MB.
    return Split(
        lambda: tf.data.Dataset.from_tensor_slices((images, labels)), len(labels)
    )
