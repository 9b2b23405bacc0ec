"""Plans by a table of widths: the least change of the answers within a budget."""

from __future__ import annotations

import functools
from typing import NamedTuple, Sequence

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.choosing import width_path
from tf1pruning.choosing.choice import Target
from tf1pruning.choosing.width_path import Measure, Picks
from tf1pruning.choosing.width_table import GroupWidths, WidthTable
from tf1pruning.errors import GraphError, PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import ROUNDING, GroupPlan, Plan
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import budgets, width_files, width_measuring


class WidthPlan(NamedTuple):
    """A plan by a table.

    Attributes:
      plan: which channels go.
      change: of the answers that is expected after the repair.
    """

    plan: Plan
    change: float


def plan_for_target(
    model: Model,
    groups: Sequence[Group],
    table: WidthTable,
    target: Target,
    limits: RunLimits = STRICT,
) -> WidthPlan:
    """Plans the widths that meet a budget at the least change of the answers.

    Args:
      model: that the table was measured on.
      groups: that may be cut; each is in the table.
      table: of widths.
      target: the budget.
      limits: of the runs that measure a latency.

    Raises:
      PlanError: if the table is of another model or lacks a group, or the budget is out
        of reach; says how far it can go.
      GraphError: if MACs are asked for and are not known.
      VerificationError: if the latency is asked for and the model does not run.
    """
    sheet = _Sheet(model, groups, table)
    cost = sheet.measure(target.quantity, limits)
    whole = cost(width_path.whole(sheet.groups))
    # A plan that costs exactly the share meets the target.
    budget = target.share * whole * (1 + ROUNDING)
    least = cost(width_path.narrowest(sheet.groups))
    if least > budget:
        raise PlanError(
            f'The target is {target.share:.1%} of the {target.quantity}, and at the '
            f'narrowest widths of the table {least / whole:.1%} stay. Ask for less, '
            'prune more groups, or relax the limits.'
        )
    guide = sheet.guide() if target.quantity == 'latency' else None
    return sheet.planned(width_path.within_budget(sheet.groups, cost, budget, guide))


def plan_for_change(
    model: Model, groups: Sequence[Group], table: WidthTable, most: float
) -> WidthPlan:
    """Plans the widths that save most MACs at no more than some change of the answers.

    Where the MACs are not known, parameters are saved.

    Args:
      model: that the table was measured on.
      groups: that may be cut; each is in the table.
      table: of widths.
      most: the largest change to expect, above 0, see `recovery.change`.

    Raises:
      PlanError: if the table is of another model or lacks a group, or already its
        widest widths change the answers more.
    """
    sheet = _Sheet(model, groups, table)
    found = width_path.within_change(sheet.groups, sheet.guide(), most)
    least = min((group.changes[1] for group in sheet.groups), default=0.0)
    if not any(found) and least > most:
        raise PlanError(
            f'The answers may change by {most:g}, and the removal of a few channels of '
            f'one group changes them by {least:.2g} already. Allow more.'
        )
    return sheet.planned(found)


class _Sheet:
    """The groups of a table that may be cut, and what plans of them cost.

    Attributes:
      groups: of the table that have widths to choose from.
    """

    def __init__(self, model: Model, groups: Sequence[Group], table: WidthTable):
        if table.model != width_files.digest(model):
            raise PlanError(
                'The table of widths was measured on another model. Measure it again.'
            )
        known = {group.name: group for group in table.groups}
        missing = [group.name for group in groups if group.name not in known]
        if missing:
            raise PlanError(
                f'The table of widths lacks {names.quoted(missing)}. Measure it again.'
            )
        self._model, self._all, self._multiple = model, groups, table.multiple
        self.groups = [known[g.name] for g in groups if known[g.name].entries]
        self._plans = {group.name: _plans(group, known[group.name]) for group in groups}

    def planned(self, picks: Picks) -> WidthPlan:
        """The plan of some widths."""
        return WidthPlan(self._plan(picks), width_path.change(self.groups, picks))

    def measure(self, quantity: str, limits: RunLimits = STRICT) -> Measure:
        """What plans cost."""
        cost = budgets.measure_of(self._model, quantity, limits)
        return functools.lru_cache(maxsize=None)(lambda picks: cost(self._plan(picks)))

    def guide(self) -> Measure:
        """The MACs of plans, or their parameters where the MACs are not known."""
        found = self.measure('macs')
        try:
            found(width_path.whole(self.groups))
        except GraphError:
            return self.measure('parameters')
        return found

    def _plan(self, picks: Picks) -> Plan:
        chosen = {group.name: pick for group, pick in zip(self.groups, picks)}
        plans = [self._plans[g.name][chosen.get(g.name, 0)] for g in self._all]
        return width_measuring.plan_of(self._model, self._all, plans, self._multiple)


def _plans(group: Group, widths: GroupWidths) -> Sequence[GroupPlan]:
    """The group as it is, and at each width."""
    removed = [(), *(entry.removed for entry in widths.entries)]
    return [plan_lib.plan_group(group, gone, len(gone)) for gone in removed]
