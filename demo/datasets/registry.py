"""Data sets by name.

A new data set is one decorated function from a folder to a `Dataset`:

    @registry.register('mine')
    def mine(data_dir):
        return Dataset('mine', ...)

Programs know it by name if its module is one of `_register_all`.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from tf1pruning import names
from tf1pruning.data.dataset import Dataset
from tf1pruning.errors import DataError, OptionError

Loader = Callable[..., Dataset]


class _Entry(NamedTuple):
    load: Loader
    needs_folder: bool
    has_test_split: bool


_LOADERS: Dict[str, _Entry] = {}


def register(
    name: str, needs_folder: bool = True, has_test_split: bool = True
) -> Callable[[Loader], Loader]:
    """Decorator: the loader of the data set `name`.

    Args:
      name: how users call it.
      needs_folder: whether it reads files of the user; its loader takes `data_dir`.
      has_test_split: whether the data say which images are for tests; if not, the
        loader takes `test_share` and `seed`.

    Raises:
      ValueError: if the name is taken.
    """

    def decorate(loader: Loader) -> Loader:
        if name in _LOADERS:
            raise ValueError(f'there is a data set {name!r} already')
        _LOADERS[name] = _Entry(loader, needs_folder, has_test_split)
        return loader

    return decorate


def known() -> List[str]:
    """The names of all data sets, sorted."""
    _register_all()
    return sorted(_LOADERS)


def load(
    name: str,
    data_dir: Optional[str] = None,
    test_share: float = 0.3,
    seed: int = 0,
) -> Dataset:
    """Finds and checks the files of a data set.

    Args:
      name: of the data set.
      data_dir: folder of its files.
      test_share: share of the images that is for tests, where the data do not say it.
      seed: decides which images those are.

    Raises:
      OptionError: if there is no such data set, or it needs a folder, or has none.
      DataError: if files are missing, truncated, or not what they should be.
    """
    if name not in known():
        raise OptionError(
            f'There is no data set {name!r}. {names.did_you_mean(name, known())} '
            f'All: {names.quoted(known(), 20)}.'
        )
    entry = _LOADERS[name]
    arguments: List[Any] = []
    if entry.needs_folder:
        arguments.append(_checked_folder(name, data_dir))
    elif data_dir:
        raise OptionError(f'Data set {name!r} reads no files: leave --data_dir out.')
    if not entry.has_test_split:
        arguments += [test_share, seed]
    return entry.load(*arguments)


def _checked_folder(name: str, data_dir: Optional[str]) -> str:
    if not data_dir:
        raise OptionError(
            f'Data set {name!r} needs the folder of its files: --data_dir.'
        )
    if not os.path.isdir(data_dir):
        raise DataError(f'The data folder {data_dir!r} does not exist.')
    return data_dir


def _register_all() -> None:
    """Imports the modules whose loaders register themselves."""
    from demo.datasets import cifar, digits, idx, readers  # noqa: F401 (they register)
