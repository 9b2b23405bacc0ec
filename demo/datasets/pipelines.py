"""Input functions for Estimators: augmented, scaled, in batches."""

from __future__ import annotations

import contextlib
import math
import re
from typing import Callable, Dict, Iterator, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError, OptionError, first_line

Shape = Tuple[int, int, int]
Augmentation = Callable[[tf.Tensor, Shape, int], tf.Tensor]
# Images are resized to so many pixels more than the crop.
MARGIN = 32
SHUFFLED = 10_000
_DEGREES = 20.0
# Of ImageNet, in blue, green, red (Simonyan and Zisserman, arXiv 1409.1556).
_VGG_MEANS = (103.939, 116.779, 123.68)


def _shift(image: tf.Tensor, shape: Shape, seed: int) -> tf.Tensor:
    """A random crop after an eighth of the size is padded on every side."""
    height, width, _ = shape
    rows, columns = height // 8, width // 8
    padded = tf.pad(image, [[rows, rows], [columns, columns], [0, 0]])
    return tf.image.random_crop(padded, shape, seed=seed)


def _shift_batch(images: tf.Tensor, shape: Shape, seed: int) -> tf.Tensor:
    """Moves each image of a batch by up to an eighth of the shorter side."""
    height, width, _ = shape
    most = min(height, width) // 8
    padded = tf.pad(images, [[0, 0], [most, most], [most, most], [0, 0]])
    offsets = tf.random.uniform(
        [tf.shape(images)[0], 2], maxval=2 * most + 1, dtype=tf.int32, seed=seed
    )
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    moved = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)


def _then_flip(move: Augmentation) -> Augmentation:
    """Moves an image, and flips it left to right half of the time."""
    return lambda image, shape, seed: tf.image.random_flip_left_right(
        move(image, shape, seed), seed=seed + 1
    )


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
    # Beyond the border the pixel at the border is repeated.
    nearest = [
        tf.clip_by_value(tf.cast(tf.round(at), tf.int32), 0, size - 1)
        for at, size in zip(found, shape)
    ]
    return tf.gather_nd(image, tf.stack(nearest, axis=-1))


# Augmentations of published pruning code: none on MNIST; shifts and flips, or
# flips and rotations, on CIFAR; crops and flips on large images. Shifts of whole
# batches are for tiny images: to read those costs less than to move each of them.
AUGMENTATIONS: Dict[str, Augmentation] = {
    'none': lambda image, shape, seed: tf.ensure_shape(image, shape),
    'shift': _shift,
    'shift_batch': _shift_batch,
    'shift_flip': _then_flip(_shift),
    'flips_rotate': _flips_rotate,
    'crop_flip': _then_flip(tf.image.random_crop),
}
# These take `[batch, height, width, channels]`; the others take an image.
_OF_BATCHES = ('shift_batch',)
# TensorFlow raises these for a damaged example or a file that went away.
_OF_DATA = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
)
# How their messages name the op that failed, and the function that it is in.
_IN_PIPELINE = re.compile(r'\[\[[^]]*IteratorGetNext')
_FUNCTION = re.compile(r'\{\{function_node [^}]*\}\} ')
SCALINGS: Dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'unit': lambda image: image / 255.0,
    'centred': lambda image: image / 127.5 - 1.0,
    # Of the digits, whose pixels are 0 to 16.
    'sixteenths': lambda image: image / 8.0 - 1.0,
    'vgg': lambda image: image[..., ::-1] - tf.constant(_VGG_MEANS),
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
    _check_augmentation(name, dataset)
    chosen, in_batches = split or dataset.train, name in _OF_BATCHES

    def augment(image: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        changed = AUGMENTATIONS[name](image, dataset.image, seed)
        return _scaled(changed, dataset), label

    def input_fn() -> tf.data.Dataset:
        examples = chosen.read().shuffle(min(chosen.count, SHUFFLED), seed=seed)
        examples = examples.repeat()
        if in_batches:
            examples = examples.batch(batch_size)
        # TensorFlow seeds the weights by the number of ops before them: a map more or
        # less is another network. With threads, random ops would draw in another order
        # each time.
        if dataset.sizes_vary or dataset.enlarged:
            examples = examples.map(lambda image, y: (_resized(image, dataset), y))
        examples = examples.map(augment)
        if not in_batches:
            examples = examples.batch(batch_size)
        return examples.prefetch(2)

    return input_fn


def _check_augmentation(name: str, dataset: Dataset) -> None:
    if name not in AUGMENTATIONS:
        raise OptionError(
            f'Augmentation {name!r}: expected one of '
            f'{names.quoted(list(AUGMENTATIONS))}.'
        )
    if dataset.sizes_vary != (name == 'crop_flip'):
        raise OptionError(
            f'Augmentation {name!r} does not fit {dataset.name!r}: expected '
            "'crop_flip' for images of varying sizes, and another for all others."
        )


def eval_input_fn(
    dataset: Dataset, split: Optional[Split] = None, batch_size: int = 256
) -> Callable[[], tf.data.Dataset]:
    """One pass of (float32 images, int32 labels) in the order of the files.

    Of a part of the data set, or of all test images.
    """
    chosen = split or dataset.test

    def prepare(image: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        image = _resized(image, dataset)
        if dataset.sizes_vary:
            height, width, _ = dataset.image
            image = tf.image.resize_image_with_crop_or_pad(image, height, width)
        return _scaled(tf.ensure_shape(image, dataset.image), dataset), label

    return lambda: chosen.read().map(prepare).batch(batch_size).prefetch(2)


def sample_input_fn(
    dataset: Dataset, seed: int, batch_size: int = 32
) -> Callable[[], tf.data.Dataset]:
    """One pass over the training images in another order, prepared like test images."""
    split = dataset.train
    mixed = Split(
        lambda: split.read().shuffle(min(split.count, SHUFFLED), seed=seed), split.count
    )
    return eval_input_fn(dataset, mixed, batch_size)


def part(split: Split, start: int, stop: int) -> Split:
    """The images with the numbers `start` to `stop - 1`.

    Raises:
      OptionError: if there are no such images.
    """
    if not 0 <= start < stop <= split.count:
        raise OptionError(
            f'There are no images {start} to {stop}; expected a range within 0 to '
            f'{split.count}.'
        )
    count = stop - start
    return Split(lambda: split.read().skip(start).take(count), count)


def batches(
    dataset: Dataset, split: Optional[Split] = None
) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """The examples of `eval_input_fn`, as arrays.

    Yields:
      float32 `[n, height, width, channels]` and int32 `[n]`.

    Raises:
      DataError: if an image cannot be read.
    """
    graph = tf.Graph()
    with graph.as_default():
        pipeline = eval_input_fn(dataset, split)()
        batch = tf.data.make_one_shot_iterator(pipeline).get_next()
    # No `with`: between two batches the caller's graph and session are the default.
    session = tf.Session(graph=graph)
    try:
        while True:
            yield session.run(batch)
    except tf.errors.OutOfRangeError:
        return
    except tf.errors.OpError as error:
        raise _unreadable(dataset, error) from error
    finally:
        session.close()


@contextlib.contextmanager
def named_errors(dataset: Dataset) -> Iterator[None]:
    """Turns TensorFlow's errors on unreadable examples, raised inside, into DataErrors.

    Raises:
      DataError: names the data set.
    """
    try:
        yield
    except _OF_DATA as error:
        if not _IN_PIPELINE.search(error.message):
            raise
        raise _unreadable(dataset, error) from error


def arrays(dataset: Dataset, split: Split) -> Tuple[np.ndarray, np.ndarray]:
    """All images and labels of a small split, as `batches` yields them.

    Raises:
      DataError: if an image cannot be read.
    """
    images, labels = zip(*batches(dataset, split))
    return np.concatenate(images), np.concatenate(labels)


def _unreadable(dataset: Dataset, error: tf.errors.OpError) -> DataError:
    # The other lines say where the pipeline was built.
    reason = _FUNCTION.sub('', first_line(error))
    return DataError(f'Data set {dataset.name!r} cannot be read: {reason}')


def _resized(image: tf.Tensor, dataset: Dataset) -> tf.Tensor:
    """Resizes `[..., height, width, channels]` where the data set asks for it.

    Where sizes vary, the shorter side is `MARGIN` pixels longer than that of the crop.
    """
    if dataset.enlarged:
        return tf.image.resize(tf.cast(image, tf.float32), dataset.image[:2])
    if not dataset.sizes_vary:
        return image
    height, width = (
        tf.cast(size, tf.float32) for size in tf.unstack(tf.shape(image)[:2])
    )
    scale = (min(dataset.image[:2]) + MARGIN) / tf.minimum(height, width)
    size = tf.cast(tf.round(tf.stack([height, width]) * scale), tf.int32)
    return tf.image.resize(image, size)


def _scaled(image: tf.Tensor, dataset: Dataset) -> tf.Tensor:
    return SCALINGS[dataset.scaling](tf.cast(image, tf.float32))
