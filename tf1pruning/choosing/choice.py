"""How many channels go, how they are counted, and what has to stay."""

from __future__ import annotations

import dataclasses
import math
from typing import Collection, Optional, Sequence, Tuple

from tf1pruning import names, typed
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.errors import OptionError

PER_GROUP = 'group'
GLOBAL = 'global'
RANKINGS = (PER_GROUP, GLOBAL)
QUANTITIES = ('macs', 'parameters', 'latency')


@typed.checked
@dataclasses.dataclass(frozen=True)
class Limits:
    """What must stay of every group.

    Attributes:
      multiple: the kept width of a group that is cut is a multiple of it.
      min_width: at least this number of channels stays.
      max_share: at most this share of a group's channels goes.

    Raises:
      OptionError: on a value out of range.
    """

    multiple: int = 1
    min_width: int = 1
    max_share: float = 1.0

    def __post_init__(self) -> None:
        plan_lib.check_multiple(self.multiple)
        if self.min_width < 1:
            raise OptionError(f'min_width is {self.min_width}; expected at least 1.')
        if not 0 < self.max_share <= 1:
            raise OptionError(
                f'max_share is {self.max_share}; expected above 0 and at most 1.'
            )

    def most(self, width: int) -> int:
        """How many channels of a group may go at most, before rounding.

        >>> Limits(min_width=6, max_share=0.5).most(10)
        4
        """
        stay = max(
            self.min_width,
            self.multiple,
            width - plan_lib.wanted_share(self.max_share, width),
        )
        return max(0, width - stay)

    def removable(self, width: int, wanted: int) -> int:
        """How many of `wanted` channels of a group go, rounded.

        >>> Limits(multiple=4).removable(24, 9)
        8
        """
        allowed = min(wanted, self.most(width))
        return plan_lib.removable(width, allowed, self.multiple)


@typed.checked
@dataclasses.dataclass(frozen=True)
class WidthBins:
    """Ratios by the width of a group.

    As in github.com/gaborvecsei/Ridurre-Network-Filter-Pruning-Keras.

    Attributes:
      bounds: ascending; bin i holds the widths `bounds[i] <= width < bounds[i + 1]`.
      ratios: of each bin.

    Raises:
      OptionError: if they do not fit together.
    """

    bounds: Tuple[int, ...]
    ratios: Tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.bounds) != len(self.ratios) + 1 or not self.ratios:
            raise OptionError(
                f'The width bins have {len(self.bounds)} bounds and '
                f'{len(self.ratios)} ratios; expected one bound more than ratios.'
            )
        if any(a >= b for a, b in zip(self.bounds, self.bounds[1:])):
            raise OptionError(
                f'The bounds of width bins are {list(self.bounds)}; expected each to '
                'be larger than the one before.'
            )
        for ratio in self.ratios:
            check_ratio('A ratio of the width bins', ratio)

    def ratio(self, width: int) -> Optional[float]:
        """The ratio of a width; None outside all bins.

        >>> WidthBins((16, 64, 256), (0.25, 0.5)).ratio(64)
        0.5
        """
        for low, high, ratio in zip(self.bounds, self.bounds[1:], self.ratios):
            if low <= width < high:
                return ratio
        return None


@typed.checked
@dataclasses.dataclass(frozen=True)
class Target:
    """A budget: the share of a quantity that may stay.

    Attributes:
      quantity: 'macs', 'parameters' or 'latency' (measured).
      share: of what the unpruned model costs, in (0, 1).

    Raises:
      OptionError: on a share out of range, or another quantity.
    """

    quantity: str
    share: float

    def __post_init__(self) -> None:
        check_known('The quantity of the target', self.quantity, QUANTITIES)
        check_ratio(f'The target of {self.quantity}', self.share)


@typed.checked
@dataclasses.dataclass(frozen=True)
class Choice:
    """How many channels go.

    Give one of `threshold`, `ratio`, `count` and `target`. With `scope_ratios` or
    `bins`, `ratio` is that of all other groups; without it they stay whole.

    Attributes:
      threshold: channels with a larger score go; in (0, 1).
      ratio: this share of the channels goes; rounded down to whole channels.
      count: this number of channels goes.
      target: a budget, met by a search over the ranking of all groups.
      ranking: 'group': ratio and count are those of each group. 'global': those of all
        groups together, whose channels are ranked in one list.
      scope_ratios: scopes with a ratio of their own; the first that holds a group
        counts.
      bins: ratios by width, for groups in none of these scopes.
      limits: what must stay of each group.
      flop_penalty: this times the MACs of a channel, over those of the most expensive
        one, is added to its score, so that expensive channels go first (Molchanov et
        al., arXiv 1611.06440, section 2.3). For a global ranking.

    Raises:
      OptionError: on a value out of range, or values that contradict each other.
    """

    threshold: Optional[float] = None
    ratio: Optional[float] = None
    count: Optional[int] = None
    target: Optional[Target] = None
    ranking: str = PER_GROUP
    scope_ratios: Tuple[Tuple[str, float], ...] = ()
    bins: Optional[WidthBins] = None
    limits: Limits = Limits()
    flop_penalty: float = 0.0

    def __post_init__(self) -> None:
        check_known('ranking', self.ranking, RANKINGS)
        given = [
            name
            for name in ('threshold', 'ratio', 'count', 'target')
            if getattr(self, name) is not None
        ]
        if len(given) > 1 or (not given and not self._varies):
            raise OptionError(
                f'{" and ".join(given) or "Nothing"} given; expected exactly one of '
                'threshold, ratio, count and target. Give one of them.'
            )
        self._check_values()
        self._check_combination()

    @property
    def is_global(self) -> bool:
        """Whether the channels of all groups are ranked in one list."""
        return self.ranking == GLOBAL or self.target is not None

    @property
    def _varies(self) -> bool:
        return bool(self.scope_ratios) or self.bins is not None

    def _check_values(self) -> None:
        if self.threshold is not None:
            # NumPy's numbers become Python's, which a plan is saved with.
            checked = plan_lib.check_threshold(self.threshold)
            object.__setattr__(self, 'threshold', checked)
        if self.ratio is not None:
            check_ratio('ratio', self.ratio)
        if self.count is not None and self.count < 1:
            raise OptionError(f'count is {self.count}; expected at least 1.')
        for scope, ratio in self.scope_ratios:
            check_ratio(f'The ratio of scope {scope!r}', ratio)
        if not math.isfinite(self.flop_penalty):
            raise OptionError(
                f'flop_penalty is {self.flop_penalty}; expected a finite number.'
            )

    def _check_combination(self) -> None:
        amounts = (self.threshold, self.count)
        if self._varies and (self.is_global or amounts != (None, None)):
            raise OptionError(
                'Ratios by scope or width are per group: they cannot be combined with '
                'a threshold, count, target or global ranking.'
            )
        if self.threshold is not None and self.ranking == GLOBAL:
            raise OptionError(
                'A threshold is the same for all groups: it needs no global ranking.'
            )
        if self.flop_penalty and not self.is_global:
            raise OptionError(
                'A FLOP penalty compares groups: give a target or the global ranking.'
            )

    def ratio_of(self, group: Group) -> float:
        """The share of a group's channels that goes; 0 without a ratio for it."""
        for scope, ratio in self.scope_ratios:
            if group.in_scope(scope):
                return ratio
        found = self.bins.ratio(group.width) if self.bins else None
        return found if found is not None else self.ratio or 0.0


def check_ratio(what: str, value: float) -> None:
    """Raises OptionError unless a ratio lies in (0, 1); `what` names it."""
    if not 0 < value < 1:
        raise OptionError(f'{what} is {value}; expected between 0 and 1.')


def check_known(what: str, value: str, known: Collection[str]) -> None:
    """Raises OptionError unless a value is one of the known ones."""
    if value not in known:
        raise OptionError(
            f'{what} is {value!r}; expected one of {names.quoted(list(known))}.'
        )


def check_scopes(choice: Choice, groups: Sequence[Group]) -> None:
    """Raises OptionError for scopes with a ratio that hold no group; names all."""
    empty = [
        scope
        for scope, _ in choice.scope_ratios
        if not any(group.in_scope(scope) for group in groups)
    ]
    if empty:
        known = [group.name for group in groups]
        raise OptionError(
            f'Ratios are given for {names.quoted(empty)}, where no chosen group lies. '
            f'{names.did_you_mean(empty[0], known)}'
        )
