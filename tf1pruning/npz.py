"""Reads and writes the arrays of `.npz` files; nothing in them can run code."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tokenize
import zipfile
import zlib
from typing import (
    IO,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from tf1pruning import files
from tf1pruning.errors import DataError
from tf1pruning.shapes import element_count

_ENDING = '.npy'
# Version of the format -> bytes that say how long the header is, and what reads it.
_HEADERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}
# In bytes. Python's parser, which reads it, may crash on longer ones.
_LONGEST_HEADER = 1 << 13
# What zipfile, zlib and NumPy raise on damaged bytes: all of these were seen.
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class Header(NamedTuple):
    """What an array is, without its numbers.

    Attributes:
      shape: of the array.
      dtype: of its elements.
    """

    shape: Tuple[int, ...]
    dtype: np.dtype


def read(path: str) -> Dict[str, np.ndarray]:
    """Name -> array, of all arrays in a file that `np.savez` wrote.

    `np.load` does the same, but prints a traceback of its own on a damaged file.

    Raises:
      DataError: if the file is missing or damaged, or holds something else.
    """
    with _opened(path) as archive:
        return {name: _array(archive, name) for name in _names(archive)}


def read_array(path: str, name: str) -> np.ndarray:
    """One array of a file; DataError as of `read`, or if it has no such array."""
    with _opened(path) as archive:
        return _array(archive, name)


def headers(path: str) -> Dict[str, Header]:
    """Name -> header of each array in a file.

    Raises:
      DataError: like `read`; the numbers of the arrays are not looked at.
    """
    with _opened(path) as archive:
        return {name: _Rows(archive, name).header for name in _names(archive)}


def rows(
    path: str, wanted: Sequence[str], chunks: Iterable[np.ndarray]
) -> Iterator[Dict[str, np.ndarray]]:
    """Rows of arrays, chunk by chunk; no more than a chunk is in memory.

    Only an array whose columns were stored one by one, such as a transposed one, is
    read as a whole.

    Args:
      path: of the file.
      wanted: names of arrays of it, which have an axis of rows.
      chunks: numbers of rows, which only grow, also from chunk to chunk.

    Raises:
      DataError: like `read`.
    """
    with _opened(path) as archive:
        members = {name: _Rows(archive, name) for name in wanted}
        for chunk in chunks:
            yield {name: member.take(chunk) for name, member in members.items()}


class _Rows:
    """Reads the rows of an array in their order."""

    def __init__(self, archive: zipfile.ZipFile, name: str):
        member = name + _ENDING
        self._file = archive.open(member)
        shape, is_fortran, dtype = _header(self._file, name)
        if dtype.hasobject:
            raise ValueError(f'{name!r} in it holds Python objects')
        # NumPy takes memory for the whole array before it looks at the data.
        if element_count(shape) * dtype.itemsize > archive.getinfo(member).file_size:
            raise ValueError(f'{name!r} in it is truncated')
        self.header = Header(shape, dtype)
        self._start = self._file.tell()
        self._size = element_count(shape[1:]) * dtype.itemsize
        self._archive, self._name = archive, name
        self._read: Optional[np.ndarray] = None
        self._by_columns = is_fortran and len(shape) > 1

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The rows of these numbers, which grow."""
        if self._by_columns:
            return self._whole()[numbers]
        ends = np.flatnonzero(np.diff(numbers) != 1) + 1
        runs = np.split(numbers, ends)
        return np.concatenate([self._run(int(run[0]), len(run)) for run in runs])

    def _run(self, first: int, count: int) -> np.ndarray:
        self._file.seek(self._start + first * self._size)
        data = self._file.read(count * self._size)
        if len(data) < count * self._size:
            raise EOFError(f'{self._name!r} in it ends early')
        array = np.frombuffer(data, self.header.dtype)
        return array.reshape(count, *self.header.shape[1:])

    def _whole(self) -> np.ndarray:
        if self._read is None:
            self._read = _array(self._archive, self._name)
        return self._read


def _header(file: IO[bytes], name: str) -> Tuple[Tuple[int, ...], bool, np.dtype]:
    """Shape of an array, whether its columns were stored one by one, and type."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f'{name!r} in it has the unknown format {version}')
    size, read_header = _HEADERS[version]
    start = file.read(size)
    length = int.from_bytes(start, 'little')
    if length > _LONGEST_HEADER:
        raise ValueError(f'{name!r} in it has a header of {length:,} bytes')
    return read_header(io.BytesIO(start + file.read(length)))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    """The file as an archive; damage that is found in it becomes a DataError."""
    try:
        files.check_regular(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGED as error:
        reason = files.reason(error)
        raise DataError(f'{path!r} cannot be read: {reason}') from error


def write(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a whole file that `read` reads.

    Args:
      path: of the file.
      arrays: name -> array of numbers or text; no name is `file`.

    Raises:
      OutputError: if it cannot be written; an older file is then untouched.
    """
    folder, name = os.path.split(path)
    with files.staging(folder or '.') as temporary:
        source = os.path.join(temporary, name)
        with open(source, 'wb') as file:
            np.savez(file, **arrays)
        files.publish(source, path)


def _names(archive: zipfile.ZipFile) -> List[str]:
    found = archive.namelist()
    others = [name for name in found if not name.endswith(_ENDING)]
    if others:
        raise ValueError(f'{others[0]!r} in it is not an array')
    return [name[: -len(_ENDING)] for name in found]


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    _Rows(archive, name)  # Refuses what is truncated.
    with archive.open(name + _ENDING) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
