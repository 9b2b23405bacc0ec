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
from tf1pruning.errors import DataError, OptionError

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


def _sixteenths(image: tf.Tensor) -> tf.Tensor:
    return image / 8.0 - 1.0


def _vgg(image: tf.Tensor) -> tf.Tensor:
    return image[..., ::-1] - tf.constant(_VGG_MEANS)


# What published pruning code does in training: none on MNIST; shifts and flips, or
# flips and rotations, on CIFAR; crops and flips on large images. Shifts of whole
# batches are for tiny images: to read those costs less than to move each of them.
AUGMENTATIONS: Dict[str, Callable[[tf.Tensor, Shape, int], tf.Tensor]] = {
    'none': _whole,
    'shift': _shift,
    'shift_batch': _shift_batch,
    'shift_flip': _shift_flip,
    'flips_rotate': _flips_rotate,
    'crop_flip': _crop_flip,
}
# What takes `[batch, height, width, channels]`; the others take an image.
_OF_BATCHES = ('shift_batch',)
# What TensorFlow raises on a damaged example or a file that went away.
_OF_DATA = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
)
# How their messages name the op that failed, and the function that it is in.
_IN_PIPELINE = re.compile(r'\[\[[^]]*IteratorGetNext')
_FUNCTION = re.compile(r'\{\{function_node [^}]*\}\} ')
SCALINGS: Dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'unit': _unit,
    'centred': _centred,
    # Of the digits, whose pixels are 0 to 16.
    'sixteenths': _sixteenths,
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
    _check_augmentation(name, dataset)
    chosen = split or dataset.train

    def augment(image: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        changed = AUGMENTATIONS[name](image, dataset.image, seed)
        return _scaled(changed, dataset), label

    def input_fn() -> tf.data.Dataset:
        examples = chosen.read().shuffle(min(chosen.count, SHUFFLED), seed=seed)
        examples = examples.repeat()
        if name in _OF_BATCHES:
            examples = examples.batch(batch_size)
        # TensorFlow seeds the weights by the number of ops before them: a map more or
        # less is another network. With threads, random ops would draw in another order
        # each time.
        if dataset.sizes_vary or dataset.enlarged:
            examples = examples.map(lambda image, y: (_resized(image, dataset), y))
        examples = examples.map(augment)
        if name not in _OF_BATCHES:
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
            f'Augmentation {name!r} does not go with {dataset.name!r}: images of '
            "varying sizes take 'crop_flip', and no others do."
        )


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
        image = _resized(image, dataset)
        if dataset.sizes_vary:
            height, width, _ = dataset.image
            image = tf.image.resize_image_with_crop_or_pad(image, height, width)
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


def batches(
    dataset: Dataset, split: Optional[Split] = None
) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Images, as a network gets them in tests, and labels, batch after batch.

    Args:
      dataset: what to read.
      split: part of the data set; None: all that is for tests.

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
    """Inside, an example that a training cannot read is an error of the data set.

    Raises:
      DataError: instead of TensorFlow's error.
    """
    try:
        yield
    except _OF_DATA as error:
        if not _IN_PIPELINE.search(error.message):
            raise
        raise _unreadable(dataset, error) from error


def arrays(dataset: Dataset, split: Split) -> Tuple[np.ndarray, np.ndarray]:
    """What `batches` yields, as one; for small splits.

    Returns:
      float32 `[n, height, width, channels]` and int32 `[n]`.

    Raises:
      DataError: if an image cannot be read.
    """
    images, labels = zip(*batches(dataset, split))
    return np.concatenate(images), np.concatenate(labels)


def _unreadable(dataset: Dataset, error: tf.errors.OpError) -> DataError:
    # The other lines say where the pipeline was built.
    reason = _FUNCTION.sub('', error.message.splitlines()[0])
    return DataError(f'Data set {dataset.name!r} cannot be read: {reason}')


def _resized(image: tf.Tensor, dataset: Dataset) -> tf.Tensor:
    """Images that get their size here; `[..., height, width, channels]`.

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
