"""Plans that only grow: what went in an earlier round goes in every later one."""

from __future__ import annotations

import dataclasses
from typing import Dict, Optional, Tuple

import numpy as np

from tf1pruning.channels.groups import Group
from tf1pruning.choosing.scores import Scored, Scorer
from tf1pruning.plan import GroupPlan, Plan


@dataclasses.dataclass(frozen=True, eq=False)
class GoneFirst:
    """Scores groups, with what is gone already before everything else.

    Attributes:
      scorer: of what is left.
      gone: group -> its channels that are gone.
    """

    scorer: Scorer
    gone: Dict[str, Tuple[int, ...]]

    def __call__(self, group: Group, kept: Optional[int] = None) -> Scored:
        """Scores a group, given how many of its channels stay.

        Raises:
          OptionError: if the scorer cannot score it.
        """
        scored = self.scorer(group, kept)
        scores = np.array(scored.scores, np.float64)
        scores[list(self.gone.get(group.name, ()))] = np.inf
        return dataclasses.replace(scored, scores=scores)


def gone_first(scorer: Scorer, plan: Optional[Plan]) -> GoneFirst:
    """A scorer that puts what a plan removes first; None: nothing is gone."""
    groups = plan.groups if plan else ()
    return GoneFirst(scorer, {group.name: group.removed for group in groups})


def at_least(plan: Plan, before: Optional[Plan]) -> Plan:
    """A plan that removes nothing less than the one before it.

    A budget may be met by less than what is gone, if that went for a coarser one.

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
