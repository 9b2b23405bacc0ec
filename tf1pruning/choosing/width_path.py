"""Chooses the widths of groups by a table: the least change of the answers.

The sum of squared changes is made small under a budget. For each price of a unit of
cost every group takes the width that is cheapest in all; these widths, for falling
budgets, are a path of steps: the lower convex hulls of all groups, merged. Costs of
groups depend on each other, so they are taken again at the widths that were found. What
is left of the budget at the end is spent, and groups exchange widths while that helps.
"""

from __future__ import annotations

import math
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from tf1pruning.choosing.width_table import GroupWidths

# Of each group how many of its widths are gone into: 0 says that it stays whole.
Picks = Tuple[int, ...]
Measure = Callable[[Picks], float]

# What a unit of cost takes, and a pick.
_Corner = Tuple[float, int]

# How often costs are taken at the widths that were found.
_ROUNDS = 4
# By how many widths a group gets wider or narrower in an exchange, and what one has to
# gain: a share of the squared change.
_FARTHEST, _GAIN = 4, 1e-3


def whole(groups: Sequence[GroupWidths]) -> Picks:
    """All groups as they are."""
    return (0,) * len(groups)


def narrowest(groups: Sequence[GroupWidths]) -> Picks:
    """All groups at their last width."""
    return tuple(len(group.entries) for group in groups)


def change(groups: Sequence[GroupWidths], picks: Picks) -> float:
    """The change to expect: changes of different groups add up like errors do."""
    changes = (group.changes[pick] for group, pick in zip(groups, picks))
    return math.sqrt(sum(each**2 for each in changes))


def within_budget(
    groups: Sequence[GroupWidths],
    cost: Measure,
    budget: float,
    guide: Optional[Measure] = None,
) -> Picks:
    """The widths that change the answers least, at a cost of at most the budget.

    Args:
      groups: of a table.
      cost: what is limited.
      budget: that the narrowest widths meet.
      guide: a cost by which widths are compared, where `cost` itself is dear to measure
        or varies; None: `cost`.
    """

    def met(picks: Picks) -> bool:
        return cost(picks) <= budget

    def first(path: Sequence[Picks]) -> Picks:
        found = path[_first(len(path), lambda number: met(path[number]))]
        if guide is not None:
            return found
        return _exchanged(groups, _widened(groups, found, met), cost, budget)

    found = _search(groups, guide or cost, first)
    return min(found, key=lambda picks: change(groups, picks))


def within_change(groups: Sequence[GroupWidths], cost: Measure, most: float) -> Picks:
    """The cheapest widths at which the answers are expected to change at most so much.

    Args:
      groups: of a table.
      cost: what is to be saved.
      most: the largest change, at least 0.
    """

    def last(path: Sequence[Picks]) -> Picks:
        count = _first(len(path), lambda number: change(groups, path[number]) > most)
        return _narrowed(groups, path[count - 1], cost, most)

    return min(_search(groups, cost, last), key=cost)


def _search(
    groups: Sequence[GroupWidths],
    cost: Measure,
    choose: Callable[[Sequence[Picks]], Picks],
) -> List[Picks]:
    """What is chosen of paths, whose costs are those at the choice before."""
    picks, found = whole(groups), []
    for _ in range(_ROUNDS):
        picks = choose(_path(groups, cost, picks))
        if picks in found:
            break
        found.append(picks)
    return found


def _path(
    groups: Sequence[GroupWidths], cost: Measure, around: Picks
) -> Sequence[Picks]:
    """Widths of all groups, step by step from the widest to the narrowest.

    Each step saves the most for the squared change that it adds.
    """
    steps: List[_Step] = []
    for number, group in enumerate(groups):
        counts = range(len(group.changes))
        costs = [cost(_with(around, number, pick)) for pick in counts]
        squares = [each**2 for each in group.changes]
        steps += [_Step(price, number, pick) for price, pick in _hull(costs, squares)]
    path = [whole(groups)]
    for step in sorted(steps):
        path.append(_with(path[-1], step.group, step.pick))
    return [*path, narrowest(groups)]


class _Step(NamedTuple):
    """A group goes to a pick; by its price they are sorted."""

    price: float
    group: int
    pick: int


def _hull(costs: Sequence[float], squares: Sequence[float]) -> Iterator[_Corner]:
    """The corners of a lower convex hull, each with what a unit of cost takes there.

    >>> list(_hull([4.0, 3.0, 2.0, 0.0], [0.0, 3.0, 2.0, 6.0]))
    [(1.0, 2), (2.0, 3)]
    """
    here = 0
    while True:
        corners = [
            ((squares[pick] - squares[here]) / (costs[here] - costs[pick]), pick)
            for pick in range(here + 1, len(costs))
            if costs[pick] < costs[here]
        ]
        if not corners:
            return
        # Of equal prices the narrowest.
        price, here = min(corners, key=lambda corner: (corner[0], -corner[1]))
        yield price, here


def _widened(
    groups: Sequence[GroupWidths], picks: Picks, met: Callable[[Picks], bool]
) -> Picks:
    """Gives groups back what a budget has room for, the most useful first."""
    while True:
        wider = [
            _with(picks, number, pick)
            for number, taken in enumerate(picks)
            for pick in range(taken)
        ]
        better = sorted(wider, key=lambda each: change(groups, each))
        found = next((each for each in better if met(each)), None)
        if found is None:
            return picks
        picks = found


def _exchanged(
    groups: Sequence[GroupWidths], picks: Picks, cost: Measure, budget: float
) -> Picks:
    """Widens one group and narrows another, while the change falls by that."""
    while True:
        here, square = cost(picks), change(groups, picks) ** 2
        moves = [
            _Move(number, pick, cost(each) - here, change(groups, each) ** 2 - square)
            for number, pick, each in _neighbours(groups, picks)
        ]
        # That costs add up holds nearly: it says which pairs are worth a look.
        pairs = sorted(
            (wide.square + narrow.square, wide, narrow)
            for wide in moves
            for narrow in moves
            if wide.group != narrow.group
            and wide.square + narrow.square < -_GAIN * square
            and here + wide.cost + narrow.cost <= budget
        )
        merged = (
            _with(_with(picks, wide.group, wide.pick), narrow.group, narrow.pick)
            for _, wide, narrow in pairs
        )
        found = next((each for each in merged if cost(each) <= budget), None)
        if found is None:
            return picks
        picks = found


class _Move(NamedTuple):
    """One group at another width: by how much cost and squared change differ."""

    group: int
    pick: int
    cost: float
    square: float


def _neighbours(
    groups: Sequence[GroupWidths], picks: Picks
) -> Iterator[Tuple[int, int, Picks]]:
    """Groups, a width near theirs, and the picks with that."""
    for number, (group, taken) in enumerate(zip(groups, picks)):
        last = min(taken + _FARTHEST, len(group.entries))
        for pick in range(max(0, taken - _FARTHEST), last + 1):
            if pick != taken:
                yield number, pick, _with(picks, number, pick)


def _narrowed(
    groups: Sequence[GroupWidths], picks: Picks, cost: Measure, most: float
) -> Picks:
    """Takes from groups what a change has room for, the most expensive first."""
    while True:
        narrower = [
            _with(picks, number, pick)
            for number, taken in enumerate(picks)
            for pick in range(taken + 1, len(groups[number].changes))
        ]
        allowed = [each for each in narrower if change(groups, each) <= most]
        found = min(allowed, key=cost, default=picks)
        if cost(found) >= cost(picks):
            return picks
        picks = found


def _with(picks: Picks, group: int, pick: int) -> Picks:
    return (*picks[:group], pick, *picks[group + 1 :])


def _first(count: int, is_true: Callable[[int], bool]) -> int:
    """The first number for which something is true, if it then stays so; or `count`.

    >>> _first(10, lambda number: number * number > 30)
    6
    """
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if is_true(middle):
            high = middle
        else:
            low = middle + 1
    return low
