"""Input functions for Estimators: augmented, scaled, in batches."""

from __future__ import annotations

import math
from typing import Callable, Dict, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import DataError, OptionError
from tf1pruning.zoo.datasets.values import Dataset, Split

Shape = Tuple[int, int, int]
# Images are resized to so many pixels more than the crop.
MARGIN = 32
SHUFFLED = 10_000
_DEGREES = 20.0
# Of ImageNet, in blue, green, red (Simonyan and Zisserman, arXiv 1409.1556).
_VGG_MEANS = (103.939, 116.779, 123.68)


def _whole(image: tf.Tensor, shape: Shape, _: int) -> tf.Tensor:
    return tf.ensure_shape(image, shape)


def _shift(image: tf.Tensor, shape: Shape, seed: int) -> tf.Tensor:
    """A random crop after an eighth of the size is padded on every side."""
    height, width, _ = shape
    rows, columns = height // 8, width // 8
    padded = tf.pad(image, [[rows, rows], [columns, columns], [0, 0]])
    return tf.image.random_crop(padded, shape, seed=seed)


def _shift_flip(image: tf.Tensor, shape: Shape, seed: int) -> tf.Tensor:
    moved = _shift(image, shape, seed)
    return tf.image.random_flip_left_right(moved, seed=seed + 1)


def _flips_rotate(image: tf.Tensor, shape: Shape, seed: int) -> tf.Tensor:
    """Flips along both axes, and up to 20 degrees around the centre."""
    image = tf.image.random_flip_left_right(image, seed=seed)
    image = tf.image.random_flip_up_down(image, seed=seed + 1)
    limit = math.radians(_DEGREES)
    angle = tf.random.uniform([], -limit, limit, seed=seed + 2)
    rows, columns = tf.meshgrid(
        *(tf.cast(tf.range(size), tf.float32) for size in shape[:2]), indexing='ij'
    )
    middle = [(size - 1) / 2 for size in shape[:2]]
    y, x = rows - middle[0], columns - middle[1]
    sine, cosine = tf.sin(angle), tf.cos(angle)
    found = (cosine * y - sine * x + middle[0], sine * y + cosine * x + middle[1])
    # What comes in from outside is the pixel at the border.
    nearest = [
        tf.clip_by_value(tf.cast(tf.round(at), tf.int32), 0, size - 1)
        for at, size in zip(found, shape)
    ]
    return tf.gather_nd(image, tf.stack(nearest, axis=-1))


def _crop_flip(image: tf.Tensor, shape: Shape, seed: int) -> tf.Tensor:
    cropped = tf.image.random_crop(image, shape, seed=seed)
    return tf.image.random_flip_left_right(cropped, seed=seed + 1)


def _unit(image: tf.Tensor) -> tf.Tensor:
    return image / 255.0


def _centred(image: tf.Tensor) -> tf.Tensor:
    return image / 127.5 - 1.0


def _vgg(image: tf.Tensor) -> tf.Tensor:
    return image[..., ::-1] - tf.constant(_VGG_MEANS)


# What the given systems do in training: none on MNIST; shifts and flips on CIFAR; flips
# and rotations on CIFAR (Ridurre); crops and flips on large images.
AUGMENTATIONS: Dict[str, Callable[[tf.Tensor, Shape, int], tf.Tensor]] = {
    'none': _whole,
    'shift': _shift,
    'shift_flip': _shift_flip,
    'flips_rotate': _flips_rotate,
    'crop_flip': _crop_flip,
}
SCALINGS: Dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'unit': _unit,
    'centred': _centred,
    'vgg': _vgg,
}


def train_input_fn(
    dataset: Dataset,
    batch_size: int,
    seed: int,
    augmentation: Optional[str] = None,
    split: Optional[Split] = None,
) -> Callable[[], tf.data.Dataset]:
    """An endless shuffled pipeline of (float32 images, int32 labels).

    Args:
      dataset: what to read.
      batch_size: of the batches.
      seed: of order and augmentation.
      augmentation: a key of `AUGMENTATIONS`; None: the one that suits the data set.
      split: part of the data set; None: all that is for training.

    Raises:
      OptionError: on an unknown augmentation, or one that cannot crop images whose
        sizes vary.
    """
    name = augmentation or dataset.augmentation
    if name not in AUGMENTATIONS:
        raise OptionError(
            f'Augmentation {name!r}: expected one of '
            f'{names.quoted(list(AUGMENTATIONS))}.'
        )
    if dataset.sizes_vary != (name == 'crop_flip'):
        raise OptionError(
            f'Augmentation {name!r} does not go with {dataset.name!r}: images of '
            "varying sizes take 'crop_flip', and no others do."
        )
    chosen = split or dataset.train

    def augment(image: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        image = _resized(image, dataset) if dataset.sizes_vary else image
        changed = AUGMENTATIONS[name](image, dataset.image, seed)
        return _scaled(changed, dataset), label

    def input_fn() -> tf.data.Dataset:
        examples = chosen.read().shuffle(min(chosen.count, SHUFFLED), seed=seed)
        # With threads, random ops would draw in another order each time.
        return examples.repeat().map(augment).batch(batch_size).prefetch(2)

    return input_fn


def eval_input_fn(
    dataset: Dataset, split: Optional[Split] = None, batch_size: int = 256
) -> Callable[[], tf.data.Dataset]:
    """One pass of (float32 images, int32 labels) in the order of the files.

    Args:
      dataset: what to read.
      split: part of the data set; None: all that is for tests.
      batch_size: of the batches.
    """
    chosen = split or dataset.test

    def prepare(image: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        if dataset.sizes_vary:
            height, width, _ = dataset.image
            resized = _resized(image, dataset)
            image = tf.image.resize_image_with_crop_or_pad(resized, height, width)
        return _scaled(tf.ensure_shape(image, dataset.image), dataset), label

    return lambda: chosen.read().map(prepare).batch(batch_size).prefetch(2)


def part(split: Split, start: int, stop: int) -> Split:
    """The images from number `start` up to, and without, `stop`.

    Raises:
      OptionError: if there are no such images.
    """
    if not 0 <= start < stop <= split.count:
        raise OptionError(
            f'Images {start} to {stop} are asked for, of {split.count} images.'
        )
    count = stop - start
    return Split(lambda: split.read().skip(start).take(count), count)


def arrays(dataset: Dataset, split: Split) -> Tuple[np.ndarray, np.ndarray]:
    """All images, as a network gets them in tests, and labels; for small splits.

    Returns:
      float32 `[n, height, width, channels]` and int32 `[n]`.

    Raises:
      DataError: if an image cannot be read.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        pipeline = eval_input_fn(dataset, split)()
        batch = tf.data.make_one_shot_iterator(pipeline).get_next()
        found = []
        try:
            while True:
                found.append(session.run(batch))
        except tf.errors.OutOfRangeError:
            images, labels = (np.concatenate(column) for column in zip(*found))
            return images, labels
        except tf.errors.OpError as error:
            raise DataError(f'Data set {dataset.name!r}: {error.message}') from error


def _resized(image: tf.Tensor, dataset: Dataset) -> tf.Tensor:
    """The image with its shorter side `MARGIN` pixels longer than that of the crop."""
    height, width = (
        tf.cast(size, tf.float32) for size in tf.unstack(tf.shape(image)[:2])
    )
    scale = (min(dataset.image[:2]) + MARGIN) / tf.minimum(height, width)
    size = tf.cast(tf.round(tf.stack([height, width]) * scale), tf.int32)
    return tf.image.resize(image, size)


def _scaled(image: tf.Tensor, dataset: Dataset) -> tf.Tensor:
    return SCALINGS[dataset.scaling](tf.cast(image, tf.float32))
