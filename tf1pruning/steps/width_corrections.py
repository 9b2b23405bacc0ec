"""Corrects plans by a table of widths: what a group costs depends on the other ones.

A table measures each group alone. Within a plan other groups are narrower, and errors
add up in another way; so each group of a plan is given back for a trial, and its widths
are rescaled to what that shows.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Callable, Dict, Optional

import numpy as np

from tf1pruning.choosing.width_table import GroupWidths, WidthTable
from tf1pruning.clock import Clock, Listener
from tf1pruning.plan import Plan
from tf1pruning.steps.width_plans import WidthPlan

# How often a plan is corrected, and the factor by which a group's changes then grow or
# shrink at most: trials on few samples are noisy.
_ROUNDS, _FARTHEST = 2, 4.0
# How much of that factor is tried: all at once is too far.
_POWERS = 0.5, 0.25

# The change of the outputs after a plan and a repair of the whole network.
Trial = Callable[[Plan], float]
# Trials done, trials of this round, seconds that are left.


def corrected(
    table: WidthTable,
    plan_by: Callable[[WidthTable], WidthPlan],
    trial: Trial,
    progress: Optional[Listener] = None,
) -> WidthPlan:
    """The best of a plan and its corrections, with the change that was measured.

    Args:
      table: of widths.
      plan_by: plans by a table.
      trial: measures a plan.
      progress: called after each trial of a round.
    """
    best = plan_by(table)
    best = best._replace(change=trial(best.plan))
    for _ in range(_ROUNDS):
        owns = _owns(best, trial, progress)
        better = None
        for power in _POWERS:
            rescaled = _rescaled(table, best.plan, owns, power)
            found = plan_by(rescaled)
            if found.plan == best.plan:
                break
            found = found._replace(change=trial(found.plan))
            if found.change < best.change:
                better = found
                break
        if better is None:
            break
        best, table = better, rescaled
    return best


def _owns(
    planned: WidthPlan, trial: Trial, progress: Optional[Listener]
) -> Dict[str, float]:
    """Group -> the part of the change that goes when it stays whole."""
    cut = [group.name for group in planned.plan.groups if group.removed]
    clock = Clock(progress, 'correcting widths', len(cut))
    owns = {}
    for name in cut:
        rest = trial(_without(planned.plan, name))
        owns[name] = math.sqrt(max(planned.change**2 - rest**2, 0))
        clock.tick()
    return owns


def _rescaled(
    table: WidthTable, plan: Plan, owns: Dict[str, float], power: float
) -> WidthTable:
    """A table in which groups come nearer to what they cost in a plan."""
    counts = {group.name: len(group.removed) for group in plan.groups}
    groups = (
        _with_own(group, counts[group.name], owns[group.name], power)
        if group.name in owns
        else group
        for group in table.groups
    )
    return dataclasses.replace(table, groups=tuple(groups))


def _without(plan: Plan, name: str) -> Plan:
    """A plan in which a group stays whole."""
    groups = (
        dataclasses.replace(group, removed=(), wanted=0, cuts=())
        if group.name == name
        else group
        for group in plan.groups
    )
    return dataclasses.replace(plan, groups=tuple(groups))


def _with_own(group: GroupWidths, count: int, own: float, power: float) -> GroupWidths:
    """A group that costs nearly so much where it loses so many channels."""
    (change,) = (e.change for e in group.entries if len(e.removed) == count)
    worth = change * group.scale
    if not worth:
        return group
    factor = float(np.clip(own / worth, 1 / _FARTHEST, _FARTHEST))
    return dataclasses.replace(group, scale=group.scale * factor**power)
