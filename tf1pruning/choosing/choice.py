"""What a user asks for: how many channels go, counted how, and within which limits."""

from __future__ import annotations

import dataclasses
import math
from typing import Optional, Sequence, Tuple, Union

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.criteria.registry import Criterion, DataCriterion
from tf1pruning.errors import OptionError

PER_GROUP = 'group'
GLOBAL = 'global'
RANKINGS = (PER_GROUP, GLOBAL)
QUANTITIES = ('macs', 'parameters', 'latency')


@dataclasses.dataclass(frozen=True)
class Limits:
    """What must stay of every group.

    Attributes:
      multiple: what is left of a group that is cut is a multiple of it, and at least
        that.
      min_width: at least so many channels stay.
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


@dataclasses.dataclass(frozen=True)
class WidthBins:
    """Ratios by the width of a group.

    As in github.com/gaborvecsei/Ridurre-Network-Filter-Pruning-Keras.

    Attributes:
      bounds: ascending; bin i holds the widths from `bounds[i]` up to, and without,
        `bounds[i + 1]`.
      ratios: of each bin.

    Raises:
      OptionError: if they do not fit together.
    """

    bounds: Tuple[int, ...]
    ratios: Tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.bounds) != len(self.ratios) + 1 or not self.ratios:
            raise OptionError(
                f'There are {len(self.bounds)} bounds of width bins and '
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


@dataclasses.dataclass(frozen=True)
class Target:
    """A budget: the share of a quantity that is to be left.

    Attributes:
      quantity: 'macs', 'parameters' or 'latency' (measured).
      share: of the unpruned model's, in (0, 1).

    Raises:
      OptionError: on a share out of range, or another quantity.
    """

    quantity: str
    share: float

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise OptionError(
                f'The target is of {self.quantity!r}; expected one of '
                f'{names.quoted(QUANTITIES)}.'
            )
        check_ratio(f'The target of {self.quantity}', self.share)


@dataclasses.dataclass(frozen=True)
class Choice:
    """How many channels go.

    One of `threshold`, `ratio`, `count` and `target`. With `scope_ratios` or `bins` the
    ratio is that of all other groups, and may be left out: they stay whole then.

    Attributes:
      threshold: channels with a larger score go.
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
      OptionError: if they contradict each other.
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
        if self.ranking not in RANKINGS:
            raise OptionError(
                f'ranking is {self.ranking!r}; expected one of '
                f'{names.quoted(RANKINGS)}.'
            )
        given = [
            name
            for name in ('threshold', 'ratio', 'count', 'target')
            if getattr(self, name) is not None
        ]
        if len(given) > 1 or (not given and not self._varies):
            raise OptionError(
                f'{" and ".join(given) or "Nothing"} given; expected one of threshold, '
                'ratio, count and target.'
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
        if self.ratio is not None:
            check_ratio('ratio', self.ratio)
        if self.count is not None and self.count < 1:
            raise OptionError(f'count is {self.count}; expected at least 1.')
        for scope, ratio in self.scope_ratios:
            check_ratio(f'The ratio of scope {scope!r}', ratio)
        for name in ('threshold', 'flop_penalty'):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise OptionError(f'{name} is {value}; expected a finite number.')

    def _check_combination(self) -> None:
        amounts = (self.threshold, self.count)
        if self._varies and (self.is_global or amounts != (None, None)):
            raise OptionError(
                'Ratios by scope or width are ratios per group: they go with no '
                'threshold, count, target or global ranking.'
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
        """The share of a group's channels that goes, if there are ratios."""
        for scope, ratio in self.scope_ratios:
            if group.in_scope(scope):
                return ratio
        found = self.bins.ratio(group.width) if self.bins else None
        return found if found is not None else self.ratio or 0.0


def check_ratio(what: str, value: float) -> None:
    """Refuses a ratio that does not lie between 0 and 1.

    Args:
      what: its name, for the message.
      value: the ratio.

    Raises:
      OptionError: if it does not.
    """
    if not 0 < value < 1:
        raise OptionError(f'{what} is {value}; expected between 0 and 1.')


def check_scopes(choice: Choice, groups: Sequence[Group]) -> None:
    """Refuses scopes with a ratio of their own that hold no group.

    Raises:
      OptionError: names all of them.
    """
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


def check_threshold(
    threshold: Optional[float], criterion: Union[Criterion, DataCriterion]
) -> None:
    """Refuses a threshold that does not go with a criterion.

    Args:
      threshold: of a choice; None goes with all.
      criterion: whose scores it is compared to.

    Raises:
      OptionError: if scores are no shares, or the threshold does not lie in (0, 1).
    """
    if threshold is None:
        return
    if not criterion.is_share:
        raise OptionError(
            f'Criterion {criterion.name!r} has no threshold in (0, 1): its scores are '
            'no shares. Give a ratio, a count or a target instead.',
            options=('ratio', 'count', 'target_macs'),
        )
    plan_lib.check_threshold(threshold)
