"""Plans that only grow: what an earlier round removed stays removed."""

from __future__ import annotations

import dataclasses
from typing import Dict, Optional

import numpy as np

from tf1pruning.channels.groups import Group
from tf1pruning.choosing.scores import Scored, Scorer
from tf1pruning.plan import GroupPlan, Plan


def gone_first(scorer: Scorer, plan: Optional[Plan]) -> Scorer:
    """A scorer that puts what a plan removes first; None: nothing is gone."""
    gone = {group.name: list(group.removed) for group in plan.groups} if plan else {}

    def gone_before_others(group: Group, kept: Optional[int]) -> Scored:
        scored = scorer(group, kept)
        scores = np.array(scored.scores, np.float64)
        scores[gone.get(group.name, [])] = np.inf
        return dataclasses.replace(scored, scores=scores)

    return gone_before_others


def at_least(plan: Plan, before: Optional[Plan]) -> Plan:
    """A plan that removes at least what the one before it removed.

    A budget may be met by less than what is gone, if a coarser choice removed that.

    Args:
      plan: chosen with `gone_first`: in each group one plan holds the other.
      before: of the round before; None: there was none.
    """
    known: Dict[str, GroupPlan] = {g.name: g for g in before.groups} if before else {}
    merged = tuple(
        max(group, known.get(group.name, group), key=lambda each: len(each.removed))
        for group in plan.groups
    )
    return dataclasses.replace(plan, groups=merged)
