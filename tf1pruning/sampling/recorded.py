"""Samples from TFRecords."""

from __future__ import annotations

import glob
import os
from typing import Iterator, List, Tuple

import numpy as np

from tf1pruning.data import folders, records
from tf1pruning.errors import DataError
from tf1pruning.sampling import arrays, options
from tf1pruning.sampling.image_form import form_of
from tf1pruning.sampling.images import image_source
from tf1pruning.sampling.options import IMAGE_OPTIONS, Wanted
from tf1pruning.sampling.parts import Source, mixed
from tf1pruning.scoring.batches import Batch

# How files of TFRecords in a folder are called.
_RECORD_FILES = ('*tfrecord*', '*.record*', '*-of-*')


def record_files(path: str) -> List[str]:
    """The files of TFRecords that a path means, sorted."""
    if os.path.isdir(path):
        inside = glob.escape(path)
        patterns = [os.path.join(inside, pattern) for pattern in _RECORD_FILES]
    else:
        patterns = [path]
        if os.path.exists(path):
            patterns = [glob.escape(path)]
    found = sorted({each for pattern in patterns for each in glob.glob(pattern)})
    if not found:
        raise DataError(
            f'There is no data at {path!r}; expected a file of arrays (.npz), a folder '
            f'of images ({", ".join(folders.ENDINGS)}) or of TFRecords '
            f'({", ".join(_RECORD_FILES)}), one file of TFRecords, a pattern for some, '
            f'or {options.GRAPH!r}.',
            options=('data',),
        )
    return found


def of_records(wanted: Wanted, paths: List[str]) -> Source:
    """Samples from the encoded images, or the numbers, in examples of TFRecords.

    Raises:
      DataError: if a file is damaged or lacks the feature, or it does not fit.
      OptionError: if something must be said about the images.
    """
    index = records.Index.of(paths)
    order = mixed(index.count)
    key = wanted.options.feature_key
    if index.kind(key) == records.BYTES:
        wanted.check_options('A TFRecord', (*IMAGE_OPTIONS, 'feature_key'))
        form = form_of(wanted, 'A TFRecord')

        def encoded(number: int) -> Tuple[bytes, str]:
            return index.encoded(order[number], key)

        return image_source(wanted, form, encoded, index.count)
    wanted.check_options('A TFRecord of numbers', ('feature_key',))
    found = wanted.only('A TFRecord')
    shape = found.shape
    if shape is None or None in shape[1:]:
        raise DataError(
            f'The input {found.name!r} has the shape {shape}; the numbers {key!r} of '
            'TFRecords need one that is known. Give the input a shape.',
            options=('input_tensors',),
        )
    own = [size for size in shape[1:] if size is not None]

    def read(rows: np.ndarray, size: int) -> Iterator[Batch]:
        for chunk in arrays.chunks(order[rows], size):
            numbers = [index.numbers(number, key, own) for number in chunk]
            yield {found.name: np.stack(numbers)}

    return arrays.fitted(wanted, Source(index.count, read))
