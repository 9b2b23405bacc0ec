"""Reads TFRecords of `tf.train.Example` with the keys of TF-slim's converters.

`image/encoded` (JPEG or PNG) and `image/class/label`; ImageNet has them, too. A record
of the file is eight bytes of length, four of checksum, the example, four of checksum.
"""

from __future__ import annotations

import glob
import os
import struct
from typing import List, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from tf1pruning import files, names, typed
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError

IMAGE = (224, 224, 3)
ENCODED = 'image/encoded'
LABEL = 'image/class/label'
LABELS_FILE = 'labels.txt'
# TF-slim's labels of ImageNet begin with 1; 0 is the background.
IMAGENET_CLASSES = 1001
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
    count = 0
    first = b''
    end = os.path.getsize(path)
    with open(path, 'rb') as file:
        while file.tell() < end:
            head = file.read(12)
            length = struct.unpack('<Q', head[:8].ljust(8, b'\xff'))[0]
            if file.tell() + length + 4 > end:
                raise DataError(
                    f'{path!r} is truncated in record {count}, or no TFRecord file.'
                )
            if not count:
                first = file.read(length)
                length = 0
            file.seek(length + 4, os.SEEK_CUR)
            count += 1
    return count, first


def _check_example(path: str, record: bytes, classes: int) -> None:
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise DataError(f'{path!r} holds no tf.train.Example: {error}.') from error
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
