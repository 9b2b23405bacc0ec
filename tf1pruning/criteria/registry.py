"""Criteria by name: how redundant each filter of a layer is.

A criterion of one's own is one decorated function:

    @registry.register('largest_weight')
    def largest_weight(kernel, axis):
        others = tuple(a for a in range(kernel.ndim) if a != axis)
        return -np.abs(kernel).max(axis=others)

It gets an array and the axis of the filters and returns one score per filter; the
larger the score, the more redundant the filter. A criterion that must know how many
filters stay is registered as `counted` and gets that number as its third argument.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Dict, List

import numpy as np

from tf1pruning import names
from tf1pruning.errors import OptionError

Score = Callable[..., np.ndarray]


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A criterion, ready to use.

    Attributes:
      name: its name.
      score: (array, axis) -> `[size of axis]` scores; the larger, the more redundant.
        If `counted`: (array, axis, number of filters that stay) -> the same.
      is_share: whether scores are shares in [0, 1], so that a threshold makes sense.
      of_scales: whether it looks at the batch-norm scales instead of the kernels.
      counted: whether it has to know how many filters of a group stay.
    """

    name: str
    score: Score
    is_share: bool
    of_scales: bool
    counted: bool


_FACTORIES: Dict[str, Callable[[int], Criterion]] = {}


def register(
    name: str,
    is_share: bool = False,
    of_scales: bool = False,
    counted: bool = False,
    seeded: bool = False,
) -> Callable[[Score], Score]:
    """Decorator: the criterion `name`.

    Args:
      name: how users call it.
      is_share: see `Criterion`.
      of_scales: see `Criterion`.
      counted: see `Criterion`.
      seeded: whether the function has an argument `generator`, a
        `np.random.RandomState`.

    Raises:
      ValueError: if the name is taken.
    """

    def decorate(function: Score) -> Score:
        if name in _FACTORIES:
            raise ValueError(f'there is a criterion {name!r} already')

        def make(seed: int) -> Criterion:
            score: Score = function
            if seeded:
                generator = np.random.RandomState(seed)
                score = functools.partial(function, generator=generator)
            return Criterion(name, score, is_share, of_scales, counted)

        _FACTORIES[name] = make
        return function

    return decorate


def find(name: str, seed: int = 0) -> Criterion:
    """The criterion of a name.

    Args:
      name: of the criterion.
      seed: of its random choices, if it makes any.

    Raises:
      OptionError: if there is none; offers the nearest names.
    """
    if name not in _FACTORIES:
        raise OptionError(
            f'There is no criterion {name!r}. {names.did_you_mean(name, _FACTORIES)} '
            f'All: {names.quoted(known())}.'
        )
    return _FACTORIES[name](seed)


def known() -> List[str]:
    """All names, sorted."""
    return sorted(_FACTORIES)
