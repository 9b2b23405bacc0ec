"""Data sets by name.

A data set of one's own is one decorated function from a folder to a `Dataset`:

    @registry.register('mine')
    def mine(data_dir):
        return Dataset('mine', ...)
"""

from __future__ import annotations

import os
from typing import Callable, Dict, List, NamedTuple, Optional

from tf1pruning import names
from tf1pruning.errors import DataError, OptionError
from tf1pruning.zoo.datasets.values import Dataset

Loader = Callable[[str], Dataset]


class _Entry(NamedTuple):
    load: Loader
    needs_folder: bool


_LOADERS: Dict[str, _Entry] = {}


def register(name: str, needs_folder: bool = True) -> Callable[[Loader], Loader]:
    """Decorator: the loader of the data set `name`.

    Args:
      name: how users call it.
      needs_folder: whether it reads files of the user.

    Raises:
      ValueError: if the name is taken.
    """

    def decorate(loader: Loader) -> Loader:
        if name in _LOADERS:
            raise ValueError(f'there is a data set {name!r} already')
        _LOADERS[name] = _Entry(loader, needs_folder)
        return loader

    return decorate


def known() -> List[str]:
    """The names of all data sets, sorted."""
    _register_all()
    return sorted(_LOADERS)


def load(name: str, data_dir: Optional[str] = None) -> Dataset:
    """Finds and checks the files of a data set.

    Args:
      name: of the data set.
      data_dir: folder of its files.

    Raises:
      OptionError: if there is no such data set, or it needs a folder.
      DataError: if files are missing, truncated, or not what they should be.
    """
    if name not in known():
        raise OptionError(
            f'There is no data set {name!r}. {names.did_you_mean(name, known())} '
            f'All: {names.quoted(known(), 20)}.'
        )
    entry = _LOADERS[name]
    if entry.needs_folder and not data_dir:
        raise OptionError(
            f'Data set {name!r} needs the folder of its files: --data_dir.'
        )
    if entry.needs_folder and not os.path.isdir(data_dir or ''):
        raise DataError(f'The data folder {data_dir!r} does not exist.')
    return entry.load(data_dir or '')


def _register_all() -> None:
    """Imports the modules whose loaders register themselves."""
    from tf1pruning.zoo.datasets import (  # noqa: F401 (they register)
        cifar,
        folders,
        idx,
        records,
        small_digits,
    )
