"""Reads the arrays of `.npz` files; nothing in them can run code."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from typing import Dict, List

import numpy as np

from tf1pruning import files
from tf1pruning.errors import DataError
from tf1pruning.shapes import element_count

_ENDING = '.npy'
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
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


def read(path: str) -> Dict[str, np.ndarray]:
    """Name -> array, of all arrays in a file that `np.savez` wrote.

    `np.load` does the same, but prints a traceback of its own on a damaged file.

    Raises:
      DataError: if the file is missing or damaged, or holds something else.
    """
    try:
        files.check_regular(path)
        with zipfile.ZipFile(path) as archive:
            return {name: _array(archive, name) for name in _names(archive)}
    except _DAMAGED as error:
        reason = files.reason(error)
        raise DataError(f'{path!r} cannot be read: {reason}') from error


def _names(archive: zipfile.ZipFile) -> List[str]:
    found = archive.namelist()
    others = [name for name in found if not name.endswith(_ENDING)]
    if others:
        raise ValueError(f'{others[0]!r} in it is not an array')
    return [name[: -len(_ENDING)] for name in found]


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    member = name + _ENDING
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        shape, _, dtype = _HEADERS[version](file)
        # NumPy takes memory for the whole array before it looks at the data.
        size = element_count(shape) * dtype.itemsize
        if size > archive.getinfo(member).file_size:
            raise ValueError(f'{name!r} in it is truncated')
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
