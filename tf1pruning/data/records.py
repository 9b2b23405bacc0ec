"""Reads TFRecords of `tf.train.Example` with the keys of TF-slim's converters.

`image/encoded` (JPEG or PNG) and `image/class/label`; ImageNet has them, too. A record
of the file is eight bytes of length, four of checksum, the example, four of checksum.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import struct
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from tf1pruning import files, names, typed
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError
from tf1pruning.shapes import element_count

IMAGE = (224, 224, 3)
ENCODED = 'image/encoded'
LABEL = 'image/class/label'
# The kind of a feature that holds strings.
BYTES = 'bytes_list'
LABELS_FILE = 'labels.txt'
# TF-slim's labels of ImageNet begin with 1; 0 is the background.
IMAGENET_CLASSES = 1001
# Bytes before and behind an example.
_HEAD, _CHECKSUM = 12, 4
_PARTS = (('train',), ('test', 'validation', 'val'))


@typed.checked
def imagenet(data_dir: files.Path) -> Dataset:
    """ImageNet (ILSVRC 2012): `train-00000-of-01024`, `validation-00000-of-00128`.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    return _dataset('imagenet', os.fspath(data_dir), IMAGENET_CLASSES, scaling='vgg')


@typed.checked
def tfrecords(data_dir: files.Path) -> Dataset:
    """Any TFRecords; `labels.txt` has a line per class, as TF-slim writes it.

    Files with `train` in their names are for training, those with `test`, `validation`
    or `val` for tests.

    Raises:
      DataError: if files are missing, damaged, or not what they should be.
    """
    path = os.path.join(data_dir, LABELS_FILE)
    try:
        lines = files.read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f'{path!r} cannot be read: {files.reason(error)}. Expected a line per '
            'class.'
        ) from error
    classes = sum(1 for line in lines if line.strip())
    if not classes:
        raise DataError(f'{path!r} is empty; expected a line per class.')
    return _dataset('tfrecords', os.fspath(data_dir), classes, scaling='centred')


def _dataset(name: str, data_dir: str, classes: int, scaling: str) -> Dataset:
    train, test = (split(_files(data_dir, part), classes) for part in _PARTS)
    return Dataset(
        name, train, test, classes, IMAGE, scaling, 'crop_flip', sizes_vary=True
    )


def _files(data_dir: str, words: Sequence[str]) -> List[str]:
    paths = sorted(glob.glob(os.path.join(glob.escape(data_dir), '*')))
    for word in words:
        found = [p for p in paths if word in os.path.basename(p) and os.path.isfile(p)]
        if found:
            return found
    raise DataError(
        f'There is no file with {" or ".join(map(repr, words))} in its name in '
        f'{data_dir!r}.'
    )


def split(
    paths: Sequence[str], classes: int, image: Optional[Tuple[int, int, int]] = None
) -> Split:
    """The images of TFRecord files.

    All files are looked through from record to record, and one example of each is
    decoded; a wrong label of another one stops the pipeline.

    Args:
      paths: of the files, in order.
      classes: labels are below.
      image: shape of every image; None: they vary.

    Raises:
      DataError: names the first file that is truncated or holds something else.
    """
    count = sum(_checked_count(path, classes) for path in paths)

    def decode(record: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        features = {
            ENCODED: tf.FixedLenFeature([], tf.string),
            LABEL: tf.FixedLenFeature([], tf.int64),
        }
        found = tf.io.parse_single_example(record, features)
        label = found[LABEL]
        message = f'A label is not between 0 and {classes - 1}:'
        inside = tf.logical_and(label >= 0, label < classes)
        with tf.control_dependencies([tf.Assert(inside, [message, label])]):
            label = tf.cast(label, tf.int32)
        # It decodes PNG as well.
        pixels = tf.image.decode_jpeg(found[ENCODED], channels=3)
        return (pixels if image is None else tf.ensure_shape(pixels, image)), label

    return Split(lambda: tf.data.TFRecordDataset(list(paths)).map(decode), count)


def _checked_count(path: str, classes: int) -> int:
    """How many records a file has.

    Raises:
      DataError: if it cannot be read, is truncated, or its first record is something
        else.
    """
    try:
        files.check_regular(path)
        count, first = _records(path)
    except OSError as error:
        raise DataError(f'{path!r} cannot be read: {files.reason(error)}.') from error
    if not count:
        raise DataError(f'{path!r} is empty; expected TFRecords.')
    _check_example(path, first, classes)
    return count


def _records(path: str) -> Tuple[int, bytes]:
    """The number of records, and the first of them."""
    spans = list(record_spans(path))
    return len(spans), read_span(path, spans[0]) if spans else b''


def record_spans(path: str) -> Iterator[Tuple[int, int]]:
    """Where each record of a file begins, and how many bytes it has.

    Raises:
      DataError: if the file is truncated, or holds something else.
      OSError: if it cannot be read.
    """
    count, start, end = 0, 0, os.path.getsize(path)
    with open(path, 'rb') as file:
        while start < end:
            file.seek(start)
            head = file.read(_HEAD)
            length = struct.unpack('<Q', head[:8].ljust(8, b'\xff'))[0]
            if start + _HEAD + length + _CHECKSUM > end:
                raise DataError(
                    f'{path!r} is truncated in record {count}, or no TFRecord file.'
                )
            yield start + _HEAD, length
            start += _HEAD + length + _CHECKSUM
            count += 1


def read_span(path: str, span: Tuple[int, int]) -> bytes:
    """The bytes of a record."""
    with open(path, 'rb') as file:
        file.seek(span[0])
        return file.read(span[1])


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Where the records of some files are, to read any of them.

    Attributes:
      paths: of the files.
      files: of each record, the number of its file.
      spans: of each record, where it begins and how many bytes it has.
    """

    paths: Sequence[str]
    files: np.ndarray
    spans: np.ndarray

    @classmethod
    def of(cls, paths: Sequence[str]) -> Index:
        """Looks through files.

        Raises:
          DataError: if one cannot be read, is truncated or holds something else.
        """
        spans = []
        numbers = []
        for number, path in enumerate(paths):
            try:
                files.check_regular(path)
                found = list(record_spans(path))
            except OSError as error:
                reason = files.reason(error)
                raise DataError(f'{path!r} cannot be read: {reason}.') from error
            spans += found
            numbers += [number] * len(found)
        if not spans:
            raise DataError(f'{names.quoted(paths)} have no record.')
        return cls(paths, np.array(numbers), np.array(spans))

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.spans)

    def kind(self, key: str) -> str:
        """Of what a feature of the first record is a list, such as BYTES.

        Raises:
          DataError: if the record has no such feature, or it is empty.
        """
        kind = self._feature(0, key).WhichOneof('kind')
        if kind is None:
            raise DataError(f'{key!r} in {self._name(0)} is empty.')
        return str(kind)

    def encoded(self, number: int, key: str) -> Tuple[bytes, str]:
        """The bytes of a feature, and what the record is called in messages."""
        values = self._feature(number, key).bytes_list.value
        if len(values) != 1:
            raise DataError(
                f'{key!r} in {self._name(number)} has {len(values)} strings; expected '
                'one, an encoded image.'
            )
        return values[0], self._name(number)

    def numbers(self, number: int, key: str, shape: Sequence[int]) -> np.ndarray:
        """The numbers of a feature, in a shape."""
        feature = self._feature(number, key)
        values = feature.int64_list.value or feature.float_list.value
        if len(values) != element_count(shape):
            raise DataError(
                f'{key!r} in {self._name(number)} has {len(values)} numbers; expected '
                f'{element_count(shape)}, for the shape {tuple(shape)}.'
            )
        dtype = np.int64 if feature.int64_list.value else np.float32
        return np.array(values, dtype).reshape(shape)

    def _feature(self, number: int, key: str) -> tf.train.Feature:
        path = self.paths[self.files[number]]
        start, length = self.spans[number].tolist()
        features = _features(path, read_span(path, (start, length)))
        if key not in features:
            raise DataError(
                f'{self._name(number)} lacks {key!r}; it has '
                f'{names.quoted(sorted(features)) or "nothing"}.',
                options=('feature_key',),
            )
        return features[key]

    def _name(self, number: int) -> str:
        file = self.files[number]
        first = int(np.searchsorted(self.files, file))
        return f'record {number - first} of {self.paths[file]!r}'


def _features(path: str, record: bytes) -> Mapping[str, tf.train.Feature]:
    try:
        example = tf.train.Example.FromString(record)
    except DecodeError as error:
        raise DataError(f'{path!r} holds no tf.train.Example: {error}.') from error
    return example.features.feature


def _check_example(path: str, record: bytes, classes: int) -> None:
    features = _features(path, record)
    missing = [key for key in (ENCODED, LABEL) if key not in features]
    if missing:
        raise DataError(
            f'The examples of {path!r} lack {names.quoted(missing)}; they have '
            f'{names.quoted(sorted(features)) or "nothing"}.'
        )
    label = list(features[LABEL].int64_list.value)
    if len(label) != 1 or not 0 <= label[0] < classes:
        raise DataError(
            f'The first example of {path!r} has label {label}; expected one between 0 '
            f'and {classes - 1}.'
        )
