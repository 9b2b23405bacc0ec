"""Reads the pruned-filter files of an older system: pickles of plain data.

Only built-in containers, strings and numbers are allowed. Reading refuses anything that
needs an import, so a file cannot run code.
"""

from __future__ import annotations

import pickle
from typing import Any, Dict, Tuple

from tf1pruning.errors import PlanError


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler without access to any class or function."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f'it refers to {module}.{name}')


def read_filters(path: str) -> Dict[str, Tuple[int, ...]]:
    """Scope -> filter indices, from an old `Pruned_Filters.pkl`.

    Raises:
      PlanError: if the file is no pickle, or holds other than plain data of that form.
    """
    try:
        with open(path, 'rb') as file:
            found = _PlainUnpickler(file).load()
    except OSError as error:
        raise PlanError(f'{path!r} cannot be read: {error.strerror}.') from error
    except Exception as error:  # A damaged pickle can raise nearly anything.
        raise PlanError(f'{path!r} is not a pickle of plain data: {error}.') from error
    if not isinstance(found, dict):
        raise PlanError(f'{path!r} holds a {type(found).__name__}; expected a dict.')
    return {_scope(path, scope): _indices(path, v) for scope, v in found.items()}


def _scope(path: str, scope: Any) -> str:
    if not isinstance(scope, str):
        raise PlanError(f'{path!r} has the key {scope!r}; expected a scope name.')
    return scope


def _indices(path: str, value: Any) -> Tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(index, int) and not isinstance(index, bool) for index in value
    ):
        raise PlanError(f'{path!r} holds {value!r}; expected a list of filter indices.')
    return tuple(sorted(set(value)))
