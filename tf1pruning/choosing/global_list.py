"""Chooses channels by one ranking of all groups, up to a number or a budget.

Channels that the limits keep in a group are not ranked. So the first n channels of the
ranking can always go, except for the rounding to multiples.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, List, Mapping, Optional, Sequence

import numpy as np

from tf1pruning.choosing import groupwise
from tf1pruning.choosing.choice import Choice, Limits, Target
from tf1pruning.choosing.scores import Scored
from tf1pruning.errors import PlanError
from tf1pruning.plan import ROUNDING, GroupPlan, wanted_share

Measure = Callable[[Sequence[GroupPlan]], float]


def penalized(
    scored: Sequence[Scored], costs: Mapping[str, float], penalty: float
) -> List[Scored]:
    """Scores with a penalty on costs, see `Choice.flop_penalty`.

    Args:
      scored: the groups.
      costs: group name -> MACs of one of its channels.
      penalty: times the cost over the largest cost, it is added to the scores.
    """
    largest = max(costs.values(), default=0) or 1
    return [
        dataclasses.replace(
            each, scores=each.scores + penalty * costs[each.group.name] / largest
        )
        for each in scored
    ]


def choose(
    scored: Sequence[Scored], choice: Choice, measure: Optional[Measure] = None
) -> List[GroupPlan]:
    """Plans all groups by one ranking of their channels.

    Args:
      scored: the groups and their scores.
      choice: what is asked for; global.
      measure: plans -> the quantity of the target; needed if there is one.

    Raises:
      PlanError: if the limits do not let so many go; says how many can go.
    """
    ranked = _ranked(scored, choice.limits)
    if choice.target is not None:
        assert measure is not None
        return _within_target(scored, ranked, choice.limits, choice.target, measure)
    total = sum(each.group.width for each in scored)
    wanted = choice.count or wanted_share(choice.ratio or 0, total)
    if wanted > len(ranked):
        raise PlanError(
            f'{wanted} of {total} channels should go, and the limits let at most '
            f'{len(ranked)} go. Ask for less, or relax the limits.'
        )
    return _plans(scored, ranked[:wanted], choice.limits)


def _ranked(scored: Sequence[Scored], limits: Limits) -> np.ndarray:
    """Number of the group of each channel that may go, the first to go first."""
    parts = [np.zeros(0, np.int64)]
    scores = [np.zeros(0)]
    for number, each in enumerate(scored):
        free = each.order()[: limits.most(each.group.width)]
        parts.append(np.full(len(free), number))
        scores.append(each.scores[free])
    order = np.argsort(-np.concatenate(scores), kind='stable')
    return np.concatenate(parts)[order]


def _plans(
    scored: Sequence[Scored], ranked: np.ndarray, limits: Limits
) -> List[GroupPlan]:
    counts = np.bincount(ranked, minlength=len(scored))
    return [groupwise.take(each, int(n), limits) for each, n in zip(scored, counts)]


def _within_target(
    scored: Sequence[Scored],
    ranked: np.ndarray,
    limits: Limits,
    target: Target,
    measure: Measure,
) -> List[GroupPlan]:
    """The shortest beginning of the ranking that meets a target, by bisection."""
    whole = measure(_plans(scored, ranked[:0], limits))
    # A plan that costs exactly the share meets the target.
    goal = target.share * whole * (1 + ROUNDING)
    least = measure(_plans(scored, ranked, limits))
    if least > goal:
        raise PlanError(
            f'The target is {target.share:.1%} of the {target.quantity}, and with the '
            f'chosen groups and limits at least {least / whole:.1%} stay. Ask for '
            'less, prune more groups, or relax the limits.'
        )
    low, high = 0, len(ranked)
    while low < high:
        middle = (low + high) // 2
        if measure(_plans(scored, ranked[:middle], limits)) <= goal:
            high = middle
        else:
            low = middle + 1
    return _plans(scored, ranked[:high], limits)
