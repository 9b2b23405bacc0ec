"""Reads the pruned-filter files of an older system: pickles of plain data.

Only built-in containers, strings and numbers are allowed. Reading refuses anything that
needs an import, so a file cannot run code; and what is larger than the filters of the
model, or asks for more memory than it has bytes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import reprlib
from typing import Any, Collection, Dict, Tuple

from tf1pruning import files
from tf1pruning.channels.groups import Group
from tf1pruning.errors import PlanError

# Bytes that a pickle may have: of itself, for each group besides its name, and for each
# of its filters. The most that any protocol takes is less than half of that.
_FILE, _GROUP, _FILTER = 1024, 256, 32


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler without access to any class or function."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f'it refers to {module}.{name}')


def largest_size(groups: Collection[Group]) -> int:
    """How many bytes a pickle of the filters of these groups may have."""
    sizes = (_GROUP + 4 * len(g.name) + _FILTER * g.width for g in groups)
    return _FILE + sum(sizes)


def read_filters(path: str, largest: int) -> Dict[str, Tuple[int, ...]]:
    """Scope -> filter indices, from an old `Pruned_Filters.pkl`.

    Args:
      path: of the file.
      largest: bytes that it may have, see `largest_size`.

    Raises:
      PlanError: if the file is no pickle, too large, or holds other than plain data of
        that form.
    """
    try:
        data = files.read_bytes(path, largest)
        _check_memo(data)
        found = _PlainUnpickler(io.BytesIO(data)).load()
    except OSError as error:
        raise PlanError(f'{path!r} cannot be read: {files.reason(error)}.') from error
    except Exception as error:  # A damaged pickle can raise nearly anything.
        raise PlanError(f'{path!r} is not a pickle of plain data: {error}.') from error
    if not isinstance(found, dict):
        raise PlanError(f'{path!r} holds a {type(found).__name__}; expected a dict.')
    return {_scope(path, scope): _indices(path, v) for scope, v in found.items()}


def _check_memo(data: bytes) -> None:
    """Refuses numbers of objects beyond the file's size: a table of all is made."""
    for op, argument, _ in pickletools.genops(data):
        if op.name.endswith('PUT') and argument is not None and argument > len(data):
            raise pickle.UnpicklingError(f'it counts up to {argument} objects')


def _scope(path: str, scope: Any) -> str:
    if not isinstance(scope, str):
        found = reprlib.repr(scope)
        raise PlanError(f'{path!r} has the key {found}; expected a scope name.')
    return scope


def _indices(path: str, value: Any) -> Tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(index, int) and not isinstance(index, bool) for index in value
    ):
        # Objects that hold each other many times over have no end when written out.
        found = reprlib.repr(value)
        raise PlanError(f'{path!r} holds {found}; expected a list of filter indices.')
    return tuple(sorted(set(value)))
