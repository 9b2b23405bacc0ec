"""Schedules: how much each round removes, and how long it trains.

A schedule is a function: it gets the rounds that are done and gives the next one, or
None at the end. `Rounds` is one that is known from the start; `ladder`, `spread`,
`one_by_one`, `layer_by_layer` and `iterate` make such schedules.

The choice of a round counts from the network before the first round: it includes what
earlier rounds removed.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from tf1pruning import typed
from tf1pruning.choosing.choice import GLOBAL, PER_GROUP, Choice, Limits, check_ratio
from tf1pruning.errors import OptionError
from tf1pruning.plan import ROUNDING
from tf1pruning.schedules import paces
from tf1pruning.schedules.paces import Pace


@typed.checked
@dataclasses.dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
      choice: what is gone after it, earlier rounds included.
      steps: of the training behind it.

    Raises:
      OptionError: if there are no steps.
    """

    choice: Choice
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise OptionError(
                f'A round has {self.steps} steps of training; expected at least 1.'
            )


@dataclasses.dataclass(frozen=True)
class Done:
    """A finished round.

    Attributes:
      steps: of its training.
      removed: channels that are gone, since the first round.
      kept: channels that stay.
      parameters: of the model once it is stripped.
      macs: of the stripped model; None if a size is not static.
      checkpoint: prefix of the trained checkpoint.
      pruned_metrics: of the evaluation between pruning and training; empty if there
        was none, or the pruned checkpoint lacks variables that it restores.
      metrics: of the evaluation at the end; empty if there was none.
    """

    steps: int
    removed: int
    kept: int
    parameters: int
    macs: Optional[int]
    checkpoint: str
    pruned_metrics: Mapping[str, float]
    metrics: Mapping[str, float]

    @property
    def share(self) -> float:
        """The share of the channels that is gone."""
        return self.removed / (self.removed + self.kept)


Schedule = Callable[[Sequence[Done]], Optional[Round]]


@dataclasses.dataclass(frozen=True)
class Rounds:
    """A schedule that is known from the start.

    Attributes:
      rounds: in order.

    Raises:
      OptionError: if there are none.
    """

    rounds: Tuple[Round, ...]

    def __post_init__(self) -> None:
        if not self.rounds:
            raise OptionError('The schedule has no round; expected at least one.')

    def __call__(self, done: Sequence[Done]) -> Optional[Round]:
        """The next round; None behind the last."""
        return self.rounds[len(done)] if len(done) < len(self.rounds) else None


def _rounds(choices: Iterable[Choice], steps: int) -> Rounds:
    """A round per choice, each with as many steps."""
    return Rounds(tuple(Round(choice, steps) for choice in choices))


@typed.checked
def ladder(
    thresholds: Sequence[float], steps: int, limits: Limits = Limits()
) -> Rounds:
    """A round per threshold: the channels that score above it go.

    Args:
      thresholds: descending.
      steps: of each training.
      limits: what must stay.

    Raises:
      OptionError: if they do not descend, or there are none.
    """
    if any(a <= b for a, b in zip(thresholds, thresholds[1:])):
        raise OptionError(
            f'The thresholds are {", ".join(f"{t:g}" for t in thresholds)}; expected '
            'each to be smaller than the one before, so that more goes.'
        )
    choices = (Choice(threshold=value, limits=limits) for value in thresholds)
    return _rounds(choices, steps)


@typed.checked
def spread(
    choice: Choice, rounds: int, steps: int, pace: Pace = paces.harmonic
) -> Rounds:
    """Several rounds up to a choice.

    Args:
      choice: what is gone at the end: by ratio, also by scope or width, or by a target.
      rounds: how many.
      steps: of each training.
      pace: how fast: `paces.harmonic`, `linear`, `cubic`, or your own.

    Raises:
      OptionError: if the choice is a threshold or a count, which is no share.
    """
    if choice.threshold is not None or choice.count is not None:
        raise OptionError(
            'A threshold or a count cannot be spread: give a ratio or a target. '
            'For thresholds there is ladder(), for counts one_by_one().'
        )
    numbers = range(1, rounds + 1)
    choices = (_part_of(choice, pace, number, rounds) for number in numbers)
    return _rounds(choices, steps)


def _part_of(choice: Choice, pace: Pace, number: int, rounds: int) -> Choice:
    """The choice of a round: each share of the last one replaced by its part."""

    def part(share: float) -> float:
        return pace(share, number, rounds)

    changes: Dict[str, Any] = {
        'scope_ratios': tuple((name, part(p)) for name, p in choice.scope_ratios)
    }
    if choice.ratio is not None:
        changes['ratio'] = part(choice.ratio)
    if choice.bins is not None:
        ratios = tuple(map(part, choice.bins.ratios))
        changes['bins'] = dataclasses.replace(choice.bins, ratios=ratios)
    if choice.target is not None:
        left = 1 - part(1 - choice.target.share)
        changes['target'] = dataclasses.replace(choice.target, share=left)
    return dataclasses.replace(choice, **changes)


@typed.checked
def one_by_one(
    channels: int,
    steps: int,
    at_once: int = 1,
    flop_penalty: float = 0.0,
    limits: Limits = Limits(),
) -> Rounds:
    """One channel at a time, the one of all groups that is needed least.

    Molchanov et al., arXiv 1611.06440, section 2: with `taylor_abs_rs`, scores divided
    by their L2 norm in each layer, and a FLOP penalty.

    Args:
      channels: to remove in all.
      steps: of training behind each of them.
      at_once: how many go in each round.
      flop_penalty: see `Choice`.
      limits: what must stay.

    Raises:
      OptionError: if a number is below 1.
    """
    if channels < 1 or at_once < 1:
        raise OptionError(
            f'{channels} channels should go, {at_once} at once; expected at least 1.'
        )
    counts = [*range(at_once, channels, at_once), channels]
    choices = (
        Choice(count=n, ranking=GLOBAL, limits=limits, flop_penalty=flop_penalty)
        for n in counts
    )
    return _rounds(choices, steps)


@typed.checked
def layer_by_layer(
    ratios: Sequence[Tuple[str, float]],
    steps: int,
    increment: float = 1.0,
    limits: Limits = Limits(),
) -> Rounds:
    """One scope after the other.

    As in github.com/google-research/deadunits (Evci et al., arXiv 1806.06068).

    Args:
      ratios: scope -> share that goes, in the order of the rounds.
      steps: of training behind each of them.
      increment: how much a visit raises the share of a scope; the scopes are visited in
        turn until all have their ratio. 1: each is visited once.
      limits: what must stay.

    Raises:
      OptionError: if a ratio or the increment is out of range, or a scope comes twice.
    """
    if not 0 < increment <= 1:
        raise OptionError(
            f'The increment is {increment}; expected above 0 and at most 1.'
        )
    for scope, ratio in ratios:
        check_ratio(f'The ratio of scope {scope!r}', ratio)
    targets = dict(ratios)
    if len(targets) < len(ratios):
        raise OptionError('A scope is given twice; expected one ratio for each.')
    now: Dict[str, float] = {}
    choices: List[Choice] = []
    for visit in itertools.count(1):
        if now == targets:
            break
        for scope, target in targets.items():
            if now.get(scope) != target:
                now[scope] = _up_to(visit * increment, target)
                choices.append(Choice(scope_ratios=tuple(now.items()), limits=limits))
    return _rounds(choices, steps)


@typed.checked
def iterate(
    ratio: float,
    steps: int,
    final_share: float = 0.9,
    max_rounds: int = 100,
    scheduler: Optional[Callable[[float, int], float]] = None,
    ranking: str = PER_GROUP,
    limits: Limits = Limits(),
) -> Rounds:
    """Rounds that each remove one share of what is left.

    As in github.com/gaborvecsei/Ridurre-Network-Filter-Pruning-Keras.

    Args:
      ratio: share of what is left that goes in the first round.
      steps: of training behind each round.
      final_share: of the whole; the last round ends there.
      max_rounds: the most rounds.
      scheduler: gives the ratio of a round from that of the round before and the
        number of the round, from 1 on; None: all rounds have the first ratio.
      ranking: see `Choice`.
      limits: what must stay.

    Raises:
      OptionError: if a share is out of range, also one that the scheduler gives.
    """
    check_ratio('final_share', final_share)
    choices: List[Choice] = []
    left = 1.0
    for number in range(1, max_rounds + 1):
        ratio = scheduler(ratio, number) if scheduler else ratio
        check_ratio(f'The ratio of round {number}', ratio)
        left *= 1 - ratio
        gone = _up_to(1 - left, final_share)
        choices.append(Choice(ratio=gone, ranking=ranking, limits=limits))
        if gone == final_share:
            break
    return _rounds(choices, steps)


def _up_to(share: float, most: float) -> float:
    """A share, at most the given one, which it becomes if only rounding lacks."""
    return share if share < most - ROUNDING else most
