"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): the binary release, or TFRecords.

A record of the binary release is one label byte (CIFAR-100: the coarse label, then the
fine one) and 3072 bytes of an image, channel after channel.
"""

from __future__ import annotations

import os
from typing import List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from demo.datasets import registry
from tf1pruning import names
from tf1pruning.data import records
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError

IMAGE = (32, 32, 3)
_PIXELS = 32 * 32 * 3


@registry.register('cifar10')
def cifar10(data_dir: str) -> Dataset:
    """Colour images 32x32 of 10 classes, 50,000 + 10,000.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    train = [f'data_batch_{number}.bin' for number in range(1, 6)]
    return _dataset('cifar10', data_dir, train, ['test_batch.bin'], 10, labels=1)


@registry.register('cifar100')
def cifar100(data_dir: str) -> Dataset:
    """Colour images 32x32 of 100 classes, 50,000 + 10,000; the labels are the fine.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    return _dataset('cifar100', data_dir, ['train.bin'], ['test.bin'], 100, labels=2)


def _dataset(
    name: str,
    data_dir: str,
    train: Sequence[str],
    test: Sequence[str],
    classes: int,
    labels: int,
) -> Dataset:
    """The binary files if one of them is there, else TFRecords as of TF-slim."""
    binary = [os.path.join(data_dir, file) for file in (*train, *test)]
    if any(map(os.path.exists, binary)):
        missing = [path for path in binary if not os.path.isfile(path)]
        if missing:
            raise DataError(
                f'Of {name} there is no {names.quoted(missing)}, and other files are '
                'there; expected all files of the binary release.'
            )
        parts = (binary[: len(train)], binary[len(train) :])
        one, other = (_binary_split(paths, classes, labels) for paths in parts)
    else:
        one, other = (
            records.split(_records(data_dir, name, part), classes, IMAGE)
            for part in ('train', 'test')
        )
    return Dataset(name, one, other, classes, IMAGE, augmentation='shift_flip')


def _records(data_dir: str, name: str, part: str) -> List[str]:
    path = os.path.join(data_dir, f'{name}_{part}.tfrecord')
    if not os.path.isfile(path):
        raise DataError(
            f'There are neither the .bin files of {name} nor {path!r}. Is --data_dir '
            'the folder of the files themselves?'
        )
    return [path]


def _binary_split(paths: Sequence[str], classes: int, labels: int) -> Split:
    size = labels + _PIXELS
    count = sum(_checked_count(path, size, labels - 1, classes) for path in paths)

    def decode(record: tf.Tensor) -> Sequence[tf.Tensor]:
        values = tf.decode_raw(record, tf.uint8)
        image = tf.transpose(tf.reshape(values[labels:], [3, 32, 32]), [1, 2, 0])
        return image, tf.cast(values[labels - 1], tf.int32)

    return Split(
        lambda: tf.data.FixedLengthRecordDataset(list(paths), size).map(decode), count
    )


def _checked_count(path: str, size: int, position: int, classes: int) -> int:
    length = os.path.getsize(path)
    if not length or length % size:
        raise DataError(
            f'{path!r} has {length} bytes; expected a multiple of {size}, the bytes of '
            'a record. It is truncated, or no binary CIFAR file.'
        )
    found = np.memmap(path, np.uint8, 'r').reshape(-1, size)[:, position]
    wrong = np.flatnonzero(found >= classes)
    if wrong.size:
        raise DataError(
            f'{path!r} has {wrong.size} labels above {classes - 1}, the first in '
            f'record {wrong[0]}. It is damaged, or of another CIFAR.'
        )
    return len(found)
