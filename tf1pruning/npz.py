"""Reads the arrays of `.npz` files; nothing in them can run code."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from typing import Dict, List

import numpy as np

from tf1pruning.errors import DataError

_ENDING = '.npy'
# What zipfile, zlib and NumPy raise on damaged bytes: all of these were seen.
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
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
        with zipfile.ZipFile(path) as archive:
            return {name: _array(archive, name) for name in _names(archive)}
    except _DAMAGED as error:
        reason = getattr(error, 'strerror', None) or error
        raise DataError(f'{path!r} cannot be read: {reason}') from error


def _names(archive: zipfile.ZipFile) -> List[str]:
    found = archive.namelist()
    others = [name for name in found if not name.endswith(_ENDING)]
    if others:
        raise ValueError(f'{others[0]!r} in it is not an array')
    return [name[: -len(_ENDING)] for name in found]


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name + _ENDING) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
