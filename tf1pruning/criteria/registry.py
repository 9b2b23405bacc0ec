"""Criteria by name: how redundant each filter of a layer is.

A user's own criterion is one decorated function:

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
from typing import Any, Callable, Dict, List, Union

import numpy as np

from tf1pruning import names, typed
from tf1pruning.errors import OptionError

Score = Callable[..., np.ndarray]

ACTIVATIONS = 'activations'
WEIGHTS = 'weights'
SCALES = 'scales'
READERS = 'readers'
PLACES = (ACTIVATIONS, WEIGHTS, SCALES, READERS)
GRADIENT = 'gradient'
HESSIAN = 'hessian'
DERIVATIVES = ('', GRADIENT, HESSIAN)


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


@dataclasses.dataclass(frozen=True)
class DataCriterion:
    """A criterion that looks at the model while it works on data.

    Attributes:
      name: its name.
      looks_at: 'activations', 'weights' (the kernels that make the channels), 'scales'
        (gamma and beta of their batch norms) or 'readers' (the layers that read them).
      statistic: TensorFlow function of one batch; what it gives is averaged over the
        batches. It gets the values and what `derivative` says, both `[batch, places,
        channels]` for activations, else `[channels, everything else]`, and returns
        `[channels]` or `[channels, everything else]`. Of readers: NumPy function that
        gets the list of those of a group, see `algebra.elimination.Reader`, with
        moments over all batches.
      finish: averaged statistic -> `[channels]` scores; the larger, the more redundant.
      derivative: '' (none), 'gradient' (of the loss), or 'hessian' (the product of the
        loss' Hessian and its mean gradient; needs a second pass over the data).
      from_start: whether the statistic gets the initial weights as a third argument.
      is_share: whether scores are shares in [0, 1], so that a threshold makes sense.

    Raises:
      OptionError: if it looks at something else, or there is no such derivative.
    """

    name: str
    looks_at: str
    statistic: Callable[..., Any]
    finish: Callable[[np.ndarray], np.ndarray]
    derivative: str
    from_start: bool
    is_share: bool

    def __post_init__(self) -> None:
        for field, known in (('looks_at', PLACES), ('derivative', DERIVATIVES)):
            value = getattr(self, field)
            if value not in known:
                raise OptionError(
                    f'Criterion {self.name!r} has {field} {value!r}; expected one of '
                    f'{names.quoted(known)}.'
                )
        if self.looks_at == READERS and (self.derivative or self.from_start):
            raise OptionError(
                f'Criterion {self.name!r} looks at readers, which have no derivative '
                "and no start; expected derivative=''."
            )


# What ranks filters where nobody says otherwise (Liu et al., arXiv 1705.10748).
DEFAULT = 'sparsity'
_FACTORIES: Dict[str, Callable[[int], Criterion]] = {}
_DATA: Dict[str, DataCriterion] = {}


@typed.checked
def register_data(
    name: str,
    looks_at: str,
    finish: Callable[[np.ndarray], np.ndarray] = np.negative,
    derivative: str = GRADIENT,
    from_start: bool = False,
    is_share: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the data-driven criterion `name`; see `DataCriterion`.

    Raises:
      ValueError: if the name is taken.
      OptionError: like `DataCriterion`.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _check_free(name)
        _DATA[name] = DataCriterion(
            name, looks_at, function, finish, derivative, from_start, is_share
        )
        return function

    return decorate


def _check_free(name: str) -> None:
    if name in _FACTORIES or name in _DATA:
        raise ValueError(f'there is a criterion {name!r} already')


@typed.checked
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
        _check_free(name)

        def make(seed: int) -> Criterion:
            score: Score = function
            if seeded:
                generator = np.random.RandomState(seed)
                score = functools.partial(function, generator=generator)
            return Criterion(name, score, is_share, of_scales, counted)

        _FACTORIES[name] = make
        return function

    return decorate


def find(name: str, seed: int = 0) -> Union[Criterion, DataCriterion]:
    """The criterion of a name.

    Args:
      name: of the criterion.
      seed: of its random choices, if it makes any.

    Raises:
      OptionError: if there is none, which offers the nearest names; or if the seed is
        out of range.
    """
    if name in _DATA:
        return _DATA[name]
    if name not in _FACTORIES:
        candidates = [*_FACTORIES, *_DATA]
        raise OptionError(
            f'There is no criterion {name!r}. {names.did_you_mean(name, candidates)} '
            f'All: {names.quoted(sorted(candidates), 40)}.'
        )
    if not 0 <= seed < 2**32:
        raise OptionError(f'The seed is {seed}; expected from 0 to 2**32 - 1.')
    return _FACTORIES[name](seed)


def find_data(name: str) -> DataCriterion:
    """The criterion of a name, if it looks at data.

    Raises:
      OptionError: if there is none, or it looks at weights alone.
    """
    found = find(name)
    if isinstance(found, Criterion):
        raise OptionError(
            f'Criterion {name!r} looks at weights alone and needs no data. Expected '
            f'one that does: {listed_data()}.'
        )
    return found


def listed_data() -> str:
    """The names of the criteria that look at data, for messages."""
    return names.quoted(known_data(), 30)


def known() -> List[str]:
    """The names of the criteria that look at weights alone, sorted."""
    return sorted(_FACTORIES)


def known_data() -> List[str]:
    """The names of the criteria that look at data, sorted."""
    return sorted(_DATA)


def check_without_loss(name: str) -> None:
    """Raises OptionError for a criterion on data that needs a loss, and so labels."""
    if find_data(name).derivative:
        raise OptionError(
            f'Criterion {name!r} needs a loss and labels. Expected one that looks at '
            f'samples alone, {names.quoted(known_without_loss())}, or at weights: '
            f'{names.quoted(known(), 30)}.',
            options=('criterion',),
        )


def known_without_loss() -> List[str]:
    """The names of those among them that need no loss."""
    return [name for name in known_data() if not _DATA[name].derivative]
