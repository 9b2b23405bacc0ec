"""MNIST and Fashion-MNIST: idx files, gzipped or not.

The format is that of http://yann.lecun.com/exdb/mnist: two zero bytes, the type (8:
unsigned bytes), the number of dimensions, each dimension in four bytes, big-endian, and
then the values.
"""

from __future__ import annotations

import dataclasses
import gzip
import os
import struct
import zlib
from typing import BinaryIO, Tuple, cast

import numpy as np
import tensorflow.compat.v1 as tf

from demo.datasets import registry
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError

CLASSES = 10
_BYTES = 8
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class IdxFile:
    """An idx file of unsigned bytes, whole.

    Attributes:
      path: of the file.
      shape: its dimensions.
    """

    path: str
    shape: Tuple[int, ...]

    @property
    def header(self) -> int:
        """Bytes before the values."""
        return 4 + 4 * len(self.shape)

    def records(self) -> tf.data.Dataset:
        """Adds a pipeline that gives the bytes of each entry of the first axis."""
        return tf.data.FixedLengthRecordDataset(
            self.path,
            record_bytes=int(np.prod(self.shape[1:], dtype=np.int64)),
            header_bytes=self.header,
            compression_type='GZIP' if self.path.endswith('.gz') else None,
        )

    def values(self) -> np.ndarray:
        """All values, uint8 of the file's shape."""
        with _opened(self.path) as file:
            content = file.read()[self.header :]
        return np.frombuffer(content, np.uint8).reshape(self.shape)


@registry.register('mnist')
def mnist(data_dir: str) -> Dataset:
    """Handwritten digits 28x28 (LeCun et al., 1998), 60,000 + 10,000.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    return _dataset('mnist', data_dir)


@registry.register('fashion_mnist')
def fashion_mnist(data_dir: str) -> Dataset:
    """Pieces of clothing 28x28 (Xiao et al., arXiv 1708.07747), 60,000 + 10,000.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    return _dataset('fashion_mnist', data_dir)


def _dataset(name: str, data_dir: str) -> Dataset:
    (train, shape), (test, test_shape) = (
        _split(data_dir, prefix) for prefix in ('train', 't10k')
    )
    if shape != test_shape:
        raise DataError(
            f'The images in {data_dir!r} are {shape} for training and {test_shape} for '
            'tests; expected one size.'
        )
    return Dataset(name, train, test, CLASSES, shape, scaling='unit')


def _split(data_dir: str, prefix: str) -> Tuple[Split, Tuple[int, int, int]]:
    images = read_header(_find(data_dir, f'{prefix}-images-idx3-ubyte'), rank=3)
    labels = read_header(_find(data_dir, f'{prefix}-labels-idx1-ubyte'), rank=1)
    count, height, width = images.shape
    if labels.shape != (count,):
        raise DataError(
            f'{images.path!r} holds {count} images and {labels.path!r} '
            f'{labels.shape[0]} labels; expected as many.'
        )
    _check_labels(labels)
    shape = (height, width, 1)

    def read() -> tf.data.Dataset:
        pairs = tf.data.Dataset.zip((images.records(), labels.records()))
        return pairs.map(lambda image, label: (_bytes(image, shape), _label(label)))

    return Split(read, count), shape


def _bytes(record: tf.Tensor, shape: Tuple[int, ...]) -> tf.Tensor:
    return tf.reshape(tf.decode_raw(record, tf.uint8), shape)


def _label(record: tf.Tensor) -> tf.Tensor:
    return tf.cast(_bytes(record, ()), tf.int32)


def _check_labels(labels: IdxFile) -> None:
    wrong = np.flatnonzero(labels.values() >= CLASSES)
    if wrong.size:
        raise DataError(
            f'{labels.path!r} has {wrong.size} labels above {CLASSES - 1}, the first '
            f'at position {wrong[0]}.'
        )


def _find(data_dir: str, name: str) -> str:
    for ending in ('', '.gz'):
        path = os.path.join(data_dir, name + ending)
        if os.path.isfile(path):
            return path
    raise DataError(
        f'There is no {name!r} in {data_dir!r}, nor the same with .gz. Is --data_dir '
        'the folder of the four idx files?'
    )


def read_header(path: str, rank: int) -> IdxFile:
    """Reads the head of an idx file and checks that the file is whole.

    Args:
      path: of the file.
      rank: dimensions that it should have.

    Raises:
      DataError: on another kind of file, or too many or few bytes.
    """
    try:
        with _opened(path) as file:
            head = file.read(4 + 4 * rank)
            if head[:4] != bytes([0, 0, _BYTES, rank]):
                raise DataError(
                    f'{path!r} begins with the bytes {head[:4].hex()!r}; expected '
                    f"'0000{_BYTES:02x}{rank:02x}', the magic number of an idx file "
                    f'of bytes with {rank} dimensions.'
                )
            shape = struct.unpack(f'>{rank}I', head[4:].ljust(4 * rank, b'\0'))
            found = sum(len(block) for block in iter(lambda: file.read(_BLOCK), b''))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'{path!r} is damaged or truncated: {error}') from error
    expected = int(np.prod(shape, dtype=np.int64))
    if found != expected or not expected:
        raise DataError(
            f'{path!r} is truncated or damaged: it holds {found} bytes of values, and '
            f'its head says {expected} ({" x ".join(map(str, shape))}).'
        )
    return IdxFile(path, shape)


def _opened(path: str) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path) if path.endswith('.gz') else open(path, 'rb'))
