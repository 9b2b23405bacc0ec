"""Samples from arrays, in memory or in an `.npz` file."""

from __future__ import annotations

import dataclasses
import functools
from typing import (
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
)

import numpy as np

from tf1pruning import names, npz
from tf1pruning.errors import DataError
from tf1pruning.notes import Note
from tf1pruning.sampling import fitting
from tf1pruning.sampling.fitting import Input
from tf1pruning.sampling.options import Wanted
from tf1pruning.sampling.parts import Source
from tf1pruning.scoring.batches import Batch


def of_arrays(wanted: Wanted, arrays: Mapping[str, np.ndarray]) -> Source:
    """Samples from arrays in memory; DataError if they do not fit."""

    def rows(keys: Sequence[str], numbers: Iterable[np.ndarray]) -> Iterator[Batch]:
        return ({key: arrays[key][chunk] for key in keys} for chunk in numbers)

    headers = {k: npz.Header(a.shape, a.dtype) for k, a in arrays.items()}
    return _source(wanted, 'The data', _Reader(headers, arrays.__getitem__, rows))


def of_file(wanted: Wanted, path: str) -> Source:
    """Samples from an `.npz` file, of which no more than a batch is in memory.

    Raises:
      DataError: if it is missing, damaged, or does not fit.
    """
    whole = functools.partial(npz.read_array, path)
    reader = _Reader(npz.headers(path), whole, functools.partial(npz.rows, path))
    return _source(wanted, f'Data file {path!r}', reader)


class _Reader(NamedTuple):
    """Reads named arrays.

    Attributes:
      headers: of the arrays, by name.
      whole: name -> array.
      rows: names, and numbers of rows batch by batch -> these rows of the arrays.
    """

    headers: Mapping[str, npz.Header]
    whole: Callable[[str], np.ndarray]
    rows: Callable[[Sequence[str], Iterable[np.ndarray]], Iterator[Batch]]


def _source(wanted: Wanted, what: str, reader: _Reader) -> Source:
    wanted.check_options('A file of arrays', ('inputs', 'labels'))
    matched = _matched(wanted, what, reader.headers)
    count = fitting.check(
        wanted.inputs, {name: reader.headers[k] for name, k in matched.items()}
    )
    is_single = {name: wanted.inputs[name].is_single for name in matched}
    singles = {n: reader.whole(k) for n, k in matched.items() if is_single[n]}
    keys = {k: name for name, k in matched.items() if not is_single[name]}

    def read(rows: np.ndarray, size: int) -> Iterator[Batch]:
        for found in reader.rows(list(keys), chunks(rows, size)):
            yield {**singles, **{keys[k]: array for k, array in found.items()}}

    key = wanted.options.labels
    labels = None if key is None else _classes(key, reader.whole(key), count)
    notes = tuple(_notes(wanted, matched, reader.headers))
    return fitted(wanted, Source(count, read, labels, notes))


def _matched(
    wanted: Wanted, what: str, headers: Mapping[str, npz.Header]
) -> Dict[str, str]:
    """Input -> the array for it.

    Raises:
      DataError: if an input has no array or several, or a name is unknown.
    """
    options = wanted.options
    named = [*options.inputs, *([options.labels] if options.labels else [])]
    lacking = [name for name in named if name not in headers]
    if lacking:
        raise DataError(
            f'{what} lacks {names.quoted(lacking)}; it has '
            f'{names.quoted(list(headers))}.',
            options=('inputs', 'labels'),
        )
    if options.labels in options.inputs:
        raise DataError(
            f'The array {options.labels!r} is named for labels and an input, which '
            'cannot be both.',
            options=('inputs', 'labels'),
        )
    free = [name for name in headers if name != options.labels]
    targets = [_node(options.inputs.get(name, name)) for name in free]
    found = {t: name for t, name in zip(targets, free) if t in wanted.inputs}
    if not found and len(free) == len(wanted.required) == 1 and not options.inputs:
        return {wanted.required[0]: free[0]}
    twice = [t for t in found if targets.count(t) > 1]
    if twice:
        raise DataError(f'{what} has several arrays for {names.quoted(twice)}.')
    _check_inputs(wanted, found, free, what)
    return found


def _node(name: str) -> str:
    """The node of an input that is named like its tensor."""
    return name[:-2] if name.endswith(':0') else name


def _check_inputs(
    wanted: Wanted, arrays: Mapping[str, str], free: Sequence[str], what: str
) -> None:
    """Raises DataError for inputs without an array, and for names of no input."""
    targets = [_node(name) for name in wanted.options.inputs.values()]
    unknown = [name for name in targets if name not in wanted.inputs]
    if unknown:
        raise DataError(
            f'{names.quoted(unknown)} is no input of the network; its inputs are '
            f'{names.quoted(list(wanted.inputs))}. Name one of these.',
            options=('inputs',),
        )
    missing = [name for name in wanted.required if name not in arrays]
    if not missing:
        return
    left = [name for name in free if name not in arrays.values()]
    pairs = ','.join(f'{array}={name}' for array, name in zip(left, missing))
    guess = f' Say which array is which input; is it {pairs}?' if pairs else ''
    raise DataError(
        f'{what} has no array for the inputs {names.quoted(missing)}; it has '
        f'{names.quoted(free) or "nothing"}.{guess}',
        options=('inputs',),
    )


def _notes(
    wanted: Wanted, matched: Mapping[str, str], headers: Mapping[str, npz.Header]
) -> Iterator[Note]:
    """What is left out, and what is changed."""
    used = {*matched.values(), wanted.options.labels}
    unused = [name for name in headers if name not in used]
    if unused:
        yield Note(f'Of the data, {names.quoted(unused)} is for no input: not used.')
    for name, key in matched.items():
        note = _cast_note(wanted.inputs[name], headers[key])
        if note is not None:
            yield note


def _cast_note(wanted: Input, header: npz.Header) -> Optional[Note]:
    if wanted.dtype.kind != 'f' or header.dtype.kind not in 'biu':
        return None
    return Note(
        f'The data for the input {wanted.name!r} is of type {header.dtype} and is fed '
        f'as {wanted.dtype} with the same numbers. Check that the network was trained '
        'on that range: many divide pixels by 255 or centre them.'
    )


def _classes(key: str, array: np.ndarray, count: int) -> np.ndarray:
    """Labels as class numbers, `[examples]`."""
    if array.ndim == 2:
        array = array.argmax(axis=1) if array.shape[1] > 1 else array[:, 0]
    if array.shape != (count,) or array.dtype.kind not in 'iu':
        raise DataError(
            f'The labels {key!r} have the shape {array.shape} and type {array.dtype}; '
            f'expected {count} whole numbers, one for each example, or one row each.',
            options=('labels',),
        )
    return array


def chunks(rows: np.ndarray, size: int) -> List[np.ndarray]:
    """Numbers of examples, batch by batch; the last may be smaller."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def fitted(wanted: Wanted, source: Source) -> Source:
    """The source with arrays as they are fed, each checked as it is read."""

    def read(rows: np.ndarray, size: int) -> Iterator[Batch]:
        for batch in source.read(rows, size):
            yield {name: wanted.inputs[name].fitted(a) for name, a in batch.items()}

    return dataclasses.replace(source, read=read)
