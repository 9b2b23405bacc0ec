"""Samples with a teacher's answers, in their order or drawn again and again.

The teacher answers each sample once where samples and answers fit into a limit: they go
to temporary files without a name, which end with the process. Where they do not fit, or
have several shapes, the batches are read and answered anew at each pass.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from typing import Iterator, List, Mapping, NamedTuple, Optional

import numpy as np
from absl import logging

from tf1pruning import files
from tf1pruning.errors import DataError, OutputError
from tf1pruning.recovery.change import ChangeMeter
from tf1pruning.recovery.network import Answered, FrozenNetwork
from tf1pruning.recovery.store import Disk
from tf1pruning.scoring.batches import Batches


class Lessons(NamedTuple):
    """Batches with a teacher's answers; they last as long as the teacher.

    Attributes:
      variances: output -> mean squared deviation of its answers, of those that vary.
      batches: where they come from.
      teacher: answers them.
      kept: all of them with the answers; None if they do not fit.
    """

    variances: Mapping[str, float]
    batches: Batches
    teacher: FrozenNetwork
    kept: Optional[Kept]

    def in_order(self) -> Iterator[Answered]:
        """Each batch once."""
        if self.kept is not None:
            return self.kept.in_order()
        return self.teacher.answered(self.batches)

    def drawn(self, seed: int, start: int) -> Iterator[Answered]:
        """Batches without an end, the same ones for one seed.

        Samples that are kept are shuffled in each pass; others come in their order.

        Args:
          seed: of the draw.
          start: how many batches to leave out.
        """
        if self.kept is not None:
            return self.kept.drawn(seed, start)
        passes = (self.in_order() for _ in itertools.count())
        return itertools.islice(itertools.chain.from_iterable(passes), start, None)


def gather(batches: Batches, teacher: FrozenNetwork, disk: Disk) -> Lessons:
    """Answers all batches once.

    Args:
      batches: the samples.
      teacher: answers them.
      disk: counts the bytes of temporary files, those of others too.

    Raises:
      DataError: if there are none, they do not fit the network, or its answers do not
        vary or are not finite.
      OutputError: if the temporary files cannot be written.
    """
    meter = ChangeMeter(teacher.graph.outputs)
    kept: Optional[Kept] = None
    number = 0
    with contextlib.ExitStack() as opened:
        for number, answered in enumerate(teacher.answered(batches), 1):
            meter.update(answered.answers, answered.answers)
            if number == 1:
                kept = Kept(answered, disk, opened)
            if kept is not None and not kept.add(answered):
                logging.info('The samples do not fit: each pass answers them anew.')
                kept.forget()
                kept = None
        if not number:
            raise DataError('The data has no batch: there is nothing to learn from.')
        if kept is not None:
            kept.finish()
    return Lessons(meter.variances(), batches, teacher, kept)


class Kept:
    """Samples of one shape with their answers, in temporary files.

    Args:
      first: the first batch; the last may be smaller, all others have its size.
      disk: counts the bytes of the files.
      opened: closes the files; what they hold can be read once they are finished.
    """

    def __init__(self, first: Answered, disk: Disk, opened: contextlib.ExitStack):
        self._names = list(first.feeds)
        self._columns = [_Column(array, opened) for array in _arrays(first)]
        self._size = len(first.answers[0]) if first.answers[0].ndim else 0
        self._count = self._bytes = 0
        self._disk = disk

    def add(self, answered: Answered) -> bool:
        """Appends a batch; False if it does not fit."""
        arrays = _arrays(answered)
        count = len(arrays[-1]) if arrays[-1].ndim else 0
        size = sum(array.nbytes for array in arrays)
        pairs = list(zip(self._columns, arrays))
        fits = count and all(column.fits(array, count) for column, array in pairs)
        if not (fits and self._disk.has_room(size)):
            return False
        try:
            for column, array in pairs:
                column.append(array)
        except OSError as error:
            raise OutputError(
                f'The samples cannot be kept in {tempfile.gettempdir()!r}: '
                f'{files.reason(error)}. Make room there, or allow fewer bytes.',
                options=('disk',),
            ) from error
        self._count += count
        self._bytes += size
        self._disk.take(size)
        return True

    def forget(self) -> None:
        """Frees what was added."""
        self._disk.take(-self._bytes)

    def finish(self) -> None:
        """Makes what was added readable; no more is added."""
        for column in self._columns:
            column.finish(self._count)

    def in_order(self) -> Iterator[Answered]:
        """Each batch once, as they were given."""
        for start in range(0, self._count, self._size):
            yield self._rows(np.arange(start, min(start + self._size, self._count)))

    def drawn(self, seed: int, start: int) -> Iterator[Answered]:
        """Shuffled batches of the size of the first, see `Lessons.drawn`."""
        size = min(self._size, self._count)
        per_pass = self._count // size
        for number in itertools.count(start):
            turn, place = divmod(number, per_pass)
            if place == 0 or number == start:
                order = np.random.RandomState([seed, turn]).permutation(self._count)
            yield self._rows(np.sort(order[place * size : (place + 1) * size]))

    def _rows(self, rows: np.ndarray) -> Answered:
        arrays = [np.array(column.rows[rows]) for column in self._columns]
        width = len(self._names)
        return Answered(dict(zip(self._names, arrays)), tuple(arrays[width:]))


class _Column:
    """Arrays of one type that differ in their first axis only, in a file.

    Attributes:
      rows: all of them as one, once it is finished.
    """

    rows: np.ndarray

    def __init__(self, first: np.ndarray, opened: contextlib.ExitStack):
        self._dtype, self._shape = first.dtype, first.shape[1:]
        file = tempfile.TemporaryFile()  # noqa: SIM115 (the stack closes it)
        self._file = opened.enter_context(file)

    def fits(self, array: np.ndarray, count: int) -> bool:
        return (
            array.size > 0
            and array.dtype == self._dtype
            and not self._dtype.hasobject
            and array.shape == (count, *self._shape)
        )

    def append(self, array: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(array).data)

    def finish(self, count: int) -> None:
        self._file.flush()
        shape = (count, *self._shape)
        self.rows = np.memmap(self._file, self._dtype, 'r', shape=shape)


def _arrays(answered: Answered) -> List[np.ndarray]:
    return [*answered.feeds.values(), *answered.answers]
