"""The handwritten digits that ship with scikit-learn, as tf.data pipelines.

1797 real images of 8x8 pixels with values 0 to 16, from the UCI repository. They need
no download. The pipelines resize them to 32x32 and scale them to [-1, 1].
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import Tf1PruningError

CLASSES = 10
IMAGE_SHAPE = (32, 32, 1)
# A shift by one pixel of the small image.
SHIFT = 4

Batch = Tuple[tf.Tensor, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Split:
    """Images `[n, 8, 8, 1]` uint8 with values 0 to 16, and labels `[n]` int32.

    Raises:
      ValueError: on images of another shape, or not one per label.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.images.shape != (len(self.labels), 8, 8, 1):
            raise ValueError(
                f'images have shape {self.images.shape}; expected '
                f'{(len(self.labels), 8, 8, 1)} for {len(self.labels)} labels.'
            )

    def __len__(self) -> int:
        return len(self.labels)

    def preprocessed(self) -> np.ndarray:
        """All images as the network wants them, float32 `[n, 32, 32, 1]`."""
        with tf.Graph().as_default(), tf.Session() as session:
            return session.run(preprocess(tf.constant(self.images)))


def load(test_share: float = 0.3, seed: int = 0) -> Tuple[Split, Split]:
    """Reads the digits and splits them.

    Args:
      test_share: share of the images that goes to the test split.
      seed: decides which images those are.

    Returns:
      The train split and the test split.

    Raises:
      Tf1PruningError: if scikit-learn is not installed; says how to install it.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise Tf1PruningError(
            'The digits come from scikit-learn, which is not installed here. '
            'Install it with: pip install -r requirements-demo.txt'
        ) from error
    digits = datasets.load_digits()
    images = digits.images.astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int32)
    order = np.random.RandomState(seed).permutation(len(labels))
    train, test = np.split(order, [len(labels) - round(test_share * len(labels))])
    return Split(images[train], labels[train]), Split(images[test], labels[test])


def preprocess(images: tf.Tensor) -> tf.Tensor:
    """uint8 `[n, 8, 8, 1]` -> float32 `[n, 32, 32, 1]` in [-1, 1], bilinear."""
    images = tf.image.resize(tf.cast(images, tf.float32), IMAGE_SHAPE[:2])
    return images / 8.0 - 1.0


def train_input_fn(
    split: Split, batch_size: int, seed: int, augment: bool = True
) -> Callable[[], tf.data.Dataset]:
    """An endless shuffled pipeline of (images, labels) for `Estimator.train`.

    With `augment` each image moves by up to `SHIFT` of its 32 pixels either way.
    """

    def input_fn() -> tf.data.Dataset:
        # The small images go into the graph, and so into every saved meta graph; they
        # are resized in the pipeline, which keeps that at 90 KB instead of 6 MB.
        dataset = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
        dataset = dataset.shuffle(len(split), seed=seed).repeat()
        dataset = dataset.batch(batch_size).map(_resize)
        if augment:
            dataset = dataset.map(lambda x, y: (_shift(x, batch_size, seed), y))
        return dataset.prefetch(2)

    return input_fn


def eval_input_fn(split: Split, batch_size: int = 256) -> Callable[[], tf.data.Dataset]:
    """One pass over the split in its order, for `Estimator.evaluate`."""

    def input_fn() -> tf.data.Dataset:
        dataset = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
        return dataset.batch(batch_size).map(_resize)

    return input_fn


def _resize(images: tf.Tensor, labels: tf.Tensor) -> Batch:
    return preprocess(images), labels


def _shift(images: tf.Tensor, batch_size: int, seed: int) -> tf.Tensor:
    """Each image of the batch, moved by its own random offset; -1 comes in."""
    height, width, _ = IMAGE_SHAPE
    padding = [[0, 0], [SHIFT, SHIFT], [SHIFT, SHIFT], [0, 0]]
    padded = tf.pad(images, padding, constant_values=-1.0)
    offsets = tf.random.uniform(
        [batch_size, 2], maxval=2 * SHIFT + 1, dtype=tf.int32, seed=seed
    )
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    moved = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)
