"""Reads images from a folder per class, and by the lists of CUB-200."""

from __future__ import annotations

import os
from typing import Dict, List, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import files, names, typed
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError

IMAGE = (224, 224, 3)
ENDINGS = ('.jpg', '.jpeg', '.png')
# The first bytes of JPEG and PNG files.
_HEADS = (b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n')
# An undamaged file ends with one of these, if nothing was appended to it.
_TAILS = (b'\xff\xd9', b'IEND')
_TEST_FOLDERS = ('test', 'val', 'validation')

# Path and label of an image.
Labelled = Tuple[str, int]


@typed.checked
def folder(data_dir: files.Path) -> Dataset:
    """`train/<class>/*.jpg` and `test/<class>/*.jpg` (or `val`, `validation`).

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    train = os.path.join(data_dir, 'train')
    tests = [os.path.join(data_dir, name) for name in _TEST_FOLDERS]
    test = next((path for path in tests if os.path.isdir(path)), tests[0])
    classes = _class_names(train)
    other = _class_names(test)
    if other != classes:
        differing = sorted(set(other) ^ set(classes))
        raise DataError(
            f'{train!r} and {test!r} have different classes: {names.quoted(differing)} '
            'are only in one of them; expected each in both.'
        )
    return _dataset('folder', _images(train, classes), _images(test, classes), classes)


@typed.checked
def cub200(data_dir: files.Path) -> Dataset:
    """CUB-200-2011: `images/<class>/*.jpg`, `images.txt`, `train_test_split.txt`.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    root = os.path.join(data_dir, 'images')
    classes = _class_names(root)
    labels = {name: label for label, name in enumerate(classes)}
    paths = _table(os.path.join(data_dir, 'images.txt'))
    is_train = _table(os.path.join(data_dir, 'train_test_split.txt'))
    parts: Dict[str, List[Labelled]] = {'1': [], '0': []}
    for key, path in paths.items():
        label = labels.get(path.partition('/')[0])
        full, part = os.path.join(root, path), parts.get(is_train.get(key, ''))
        if label is None or part is None or not os.path.isfile(full):
            raise DataError(
                f'Image {key} of {data_dir!r}, {path!r}, is not there, or '
                'train_test_split.txt has neither 1 nor 0 for it.'
            )
        part.append((full, label))
    return _dataset('cub200', parts['1'], parts['0'], classes)


def _dataset(
    name: str,
    train: Sequence[Labelled],
    test: Sequence[Labelled],
    classes: Sequence[str],
) -> Dataset:
    if not train or not test:
        raise DataError(
            f'There are {len(train)} images for training and {len(test)} for tests; '
            'expected some of both.'
        )
    check_heads([path for path, _ in (*train, *test)])
    return Dataset(
        name,
        _split(train),
        _split(test),
        len(classes),
        IMAGE,
        augmentation='crop_flip',
        sizes_vary=True,
    )


def _split(images: Sequence[Labelled]) -> Split:
    paths, labels = (list(column) for column in zip(*images))

    def decode(path: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        return decoded(tf.io.read_file(path), path, 3), label

    return Split(
        lambda: tf.data.Dataset.from_tensor_slices((paths, labels)).map(decode),
        len(paths),
    )


def decoded(contents: tf.Tensor, path: tf.Tensor, channels: int) -> tf.Tensor:
    """The pixels of a JPEG or PNG file, which must be whole.

    Args:
      contents: bytes of the file.
      path: its name, for messages: the decoder names no file.
      channels: 1 or 3.

    Returns:
      uint8 `[height, width, channels]`.
    """
    pieces = [tf.size(tf.strings.split([contents], tail)) for tail in _TAILS]
    whole = tf.Assert(
        tf.greater(tf.add_n(pieces), len(_TAILS)),
        [path, 'is damaged: the end of the image is missing.'],
    )
    with tf.control_dependencies([whole]):
        # It decodes PNG as well.
        return tf.image.decode_jpeg(contents, channels=channels)


def check_heads(paths: Sequence[str]) -> None:
    """Raises DataError for files that hold no image."""
    wrong = [path for path in paths if not _head(path).startswith(_HEADS)]
    if wrong:
        raise DataError(
            f'{len(wrong)} of {len(paths)} files are neither JPEG nor PNG images: '
            f'{names.quoted(wrong)}. Were they copied whole? Remove or replace them.'
        )


def _head(path: str) -> bytes:
    try:
        files.check_regular(path)
        with open(path, 'rb') as file:
            return file.read(max(map(len, _HEADS)))
    except OSError as error:
        raise DataError(f'{path!r} cannot be read: {files.reason(error)}.') from error


def _class_names(path: str) -> List[str]:
    """Sorted names of the folders in a folder: their order gives the labels."""
    if not os.path.isdir(path):
        raise DataError(
            f'There is no folder {path!r}; expected one, with a folder per class.'
        )
    found = sorted(entry.name for entry in os.scandir(path) if entry.is_dir())
    if not found:
        raise DataError(f'Folder {path!r} is empty; expected a folder per class.')
    return found


def _images(root: str, classes: Sequence[str]) -> List[Labelled]:
    found: List[Labelled] = []
    empty = []
    for label, name in enumerate(classes):
        images = image_files(os.path.join(root, name))
        found += [(path, label) for path in images]
        empty += [] if images else [name]
    if empty:
        raise DataError(
            f'No images ({", ".join(ENDINGS)}) in {names.quoted(empty)} of {root!r}.'
        )
    return found


def image_files(folder: str) -> List[str]:
    """Sorted paths of the images in a folder, without its sub-folders."""
    images = [name for name in sorted(os.listdir(folder)) if is_image(name)]
    return [os.path.join(folder, name) for name in images]


def is_image(name: str) -> bool:
    """Whether a file is called like an image."""
    return name.lower().endswith(ENDINGS)


def _table(path: str) -> Dict[str, str]:
    """Lines of a key, a space and a value."""
    try:
        lines = files.read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path!r} cannot be read: {files.reason(error)}.') from error
    rows = [line.split(maxsplit=1) for line in lines if line.strip()]
    wrong = [row for row in rows if len(row) != 2]
    if wrong:
        raise DataError(f'{path!r} has a line {wrong[0]}; expected a key and a value.')
    return {key: value.strip() for key, value in rows}
