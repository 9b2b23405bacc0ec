"""Chooses the channels of each group for itself."""

from __future__ import annotations

from typing import List, Sequence

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.choice import Choice, Limits
from tf1pruning.choosing.scores import Scored, Scorer
from tf1pruning.plan import GroupPlan


def choose(groups: Sequence[Group], choice: Choice, scorer: Scorer) -> List[GroupPlan]:
    """Plans each group by its own ratio or count, or by the threshold.

    Args:
      groups: groups that are not frozen.
      choice: what is asked for; not global.
      scorer: of the groups.

    Raises:
      OptionError: if a group lacks what the scorer looks at.
    """
    return [_choose(group, choice, scorer) for group in groups]


def _choose(group: Group, choice: Choice, scorer: Scorer) -> GroupPlan:
    limits = choice.limits
    if choice.threshold is not None:
        scored = scorer(group, None)
        wanted = int((scored.scores > choice.threshold).sum())
        return take(scored, wanted, limits)
    ratio = choice.ratio_of(group)
    wanted = choice.count or plan_lib.wanted_share(ratio, group.width)
    kept = group.width - limits.removable(group.width, wanted)
    return take(scorer(group, kept), wanted, limits)


def take(scored: Scored, wanted: int, limits: Limits) -> GroupPlan:
    """Plans the removal of a number of channels: those that score highest.

    Args:
      scored: a group and its scores.
      wanted: how many are to go, before rounding and the limits.
      limits: what must stay.
    """
    group = scored.group
    count = limits.removable(group.width, wanted)
    capped = wanted > limits.most(group.width)
    return plan_lib.plan_group(group, scored.order()[:count], wanted, capped)
