"""Tensors of many batches in temporary files that nobody has to clean up.

The files have no name: the system frees them when the program ends, however it ends.
"""

from __future__ import annotations

import tempfile
from typing import IO, Collection, Dict, List, NamedTuple, Set

import numpy as np

from tf1pruning.errors import OutputError

# Kinds of numbers that a file takes: booleans, integers, floats, complex numbers.
_KINDS = 'biufc'


class _Entry(NamedTuple):
    offset: int
    dtype: np.dtype
    shape: tuple


class _File:
    """The batches of one tensor."""

    def __init__(self) -> None:
        # It is open as long as its tensor is kept.
        self.stream: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.entries: List[_Entry] = []
        self.size = 0


class Disk:
    """Counts the bytes of temporary files.

    Args:
      limit: bytes that all of them may take.

    Attributes:
      limit: the same.
      used: bytes that they take now.
      peak: the most that they took.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.used = self.peak = 0

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more are within the limit."""
        return self.used + size <= self.limit

    def take(self, size: int) -> None:
        """Counts bytes that were written, or freed if there are fewer than none."""
        self.used += size
        self.peak = max(self.peak, self.used)


class Store:
    """Keeps tensors, batch by batch, within a limit.

    Args:
      disk: counts the bytes, those of other stores too.

    Attributes:
      disk: the same.
    """

    def __init__(self, disk: Disk):
        self.disk = disk
        self._files: Dict[str, _File] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._files

    @property
    def names(self) -> Set[str]:
        """The tensors that it has."""
        return set(self._files)

    def append(self, name: str, array: np.ndarray) -> None:
        """Adds the next batch of a tensor.

        Raises:
          OutputError: if the disk is full.
        """
        file = self._files.get(name) or self._files.setdefault(name, self._opened())
        array = np.asarray(array, order='C')
        try:
            file.stream.seek(file.size)
            file.stream.write(array.tobytes())
            file.stream.flush()
        except OSError as error:
            raise OutputError(
                f'A temporary file cannot be written: {error.strerror}. Give another '
                'folder for temporary files (TMPDIR), or fewer samples.'
            ) from error
        file.entries.append(_Entry(file.size, array.dtype, array.shape))
        file.size += array.nbytes
        self.disk.take(array.nbytes)

    def read(self, name: str, batch: int) -> np.ndarray:
        """A batch of a tensor."""
        file = self._files[name]
        entry = file.entries[batch]
        file.stream.seek(entry.offset)
        count = int(np.prod(entry.shape, dtype=np.int64))
        data = file.stream.read(count * entry.dtype.itemsize)
        return np.frombuffer(data, entry.dtype, count).reshape(entry.shape)

    def mapped(self, array: np.ndarray) -> np.ndarray:
        """An equal array that lies in a file, as long as it is used; for reading.

        One that does not fit the limit any more is handed back as it is.

        Raises:
          OutputError: if the disk is full.
        """
        if not (array.size and self.disk.has_room(array.nbytes)):
            return array
        name = f'mapped {len(self._files)}'
        self.append(name, array)
        stream = self._files[name].stream
        return np.memmap(stream, array.dtype, 'r', shape=array.shape)

    def keep(self, names: Collection[str]) -> None:
        """Forgets all other tensors."""
        for name in self.names.difference(names):
            file = self._files.pop(name)
            file.stream.close()
            self.disk.take(-file.size)

    def close(self) -> None:
        """Forgets all."""
        self.keep(())

    def _opened(self) -> _File:
        try:
            return _File()
        except OSError as error:
            raise OutputError(
                f'No temporary file can be made: {error.strerror}. Give another folder '
                'for temporary files (TMPDIR).'
            ) from error


def is_storable(array: np.ndarray) -> bool:
    """Whether a file can take an array: numbers, no text."""
    return array.dtype.kind in _KINDS
