"""Samples from a folder of images."""

from __future__ import annotations

import functools
import os
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from tf1pruning import files
from tf1pruning.data import folders, pixels
from tf1pruning.data.pixels import ImageForm
from tf1pruning.errors import DataError, OptionError, first_line
from tf1pruning.sampling import arrays
from tf1pruning.sampling.image_form import form_of
from tf1pruning.sampling.options import FOLDERS, IMAGE_OPTIONS, Wanted
from tf1pruning.sampling.parts import Source, mixed
from tf1pruning.scoring.batches import Batch, Batches

Encoded = Callable[[int], Tuple[bytes, str]]


def image_files(folder: str) -> List[str]:
    """Sorted paths of the images of a folder and its sub-folders.

    Raises:
      DataError: if a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        reason = files.reason(error)
        raise DataError(f'{error.filename!r} cannot be read: {reason}.') from error

    return [
        os.path.join(base, name)
        for base, _, inside in sorted(os.walk(folder, onerror=refuse))
        for name in sorted(inside)
        if folders.is_image(name)
    ]


def of_images(wanted: Wanted, folder: str, paths: List[str]) -> Source:
    """Samples from images.

    Args:
      wanted: what is to be read.
      folder: that holds the images.
      paths: of the images, sorted; they are read in an order that is drawn.

    Raises:
      DataError: if one is no image, or the network takes none; when they are read, if
        one is damaged.
      OptionError: if something must be said about the images.
    """
    wanted.check_options('A folder of images', (*IMAGE_OPTIONS, 'labels'))
    form = form_of(wanted, 'A folder of images')
    folders.check_heads(paths)
    order = mixed(len(paths))
    labels = _folder_labels(wanted.options.labels, folder, paths)
    drawn = [paths[number] for number in order]

    def encoded(number: int) -> Tuple[bytes, str]:
        path = drawn[number]
        try:
            return files.read_bytes(path), repr(path)
        except OSError as error:
            reason = files.reason(error)
            raise DataError(f'{path!r} cannot be read: {reason}.') from error

    own = None if labels is None else labels[order]
    return image_source(wanted, form, encoded, len(paths), own)


def _folder_labels(
    labels: Optional[str], folder: str, paths: Sequence[str]
) -> Optional[np.ndarray]:
    """Number of the sub-folder of each image, in the order of their names."""
    if labels is None:
        return None
    parts = [os.path.relpath(path, folder).split(os.sep) for path in paths]
    if labels != FOLDERS or any(len(each) == 1 for each in parts):
        raise OptionError(
            f'The labels of images are {labels!r}; expected {FOLDERS!r}, and every '
            f'image in a folder of {folder!r} for its class.',
            options=('labels',),
        )
    classes = sorted({each[0] for each in parts})
    return np.array([classes.index(each[0]) for each in parts])


def image_source(
    wanted: Wanted,
    form: ImageForm,
    encoded: Encoded,
    count: int,
    labels: Optional[np.ndarray] = None,
) -> Source:
    """Samples from encoded images that are read by their numbers.

    Args:
      wanted: what is to be read.
      form: of an image, for the network.
      encoded: number -> bytes of an image, and its name.
      count: how many there are.
      labels: class of each.
    """
    name = wanted.only('images').name

    def batches(rows: np.ndarray, size: int) -> Iterable[Batch]:
        def chosen() -> Iterator[Tuple[bytes, str]]:
            return (encoded(number) for number in rows.tolist())

        decoded = functools.partial(pixels.dataset, form, chosen)
        return Batches.of_input_fn(lambda: decoded().batch(size), [name]).start()

    def read(rows: np.ndarray, size: int) -> Iterator[Batch]:
        done = 0
        try:
            for batch in batches(rows, size):
                done += len(batch[name])
                yield batch
        except DataError as error:
            _refuse_first(encoded, rows[done : done + size], batches)
            raise error

    return arrays.fitted(wanted, Source(count, read, labels))


def _refuse_first(
    encoded: Encoded,
    rows: np.ndarray,
    batches: Callable[[np.ndarray, int], Iterable[Batch]],
) -> None:
    """Raises DataError for the first image that cannot be read, with its name.

    TensorFlow decodes several at once and does not say which one fails.
    """
    done = 0
    try:
        for _ in batches(rows, 1):
            done += 1
    except DataError as error:
        _, name = encoded(int(rows[done]))  # Or it raises what is wrong.
        why = first_line(error.__cause__ or error)
        raise DataError(f'{name} cannot be decoded: {why}.') from error
