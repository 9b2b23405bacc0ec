"""Plans are corrected by what groups cost within them."""

from __future__ import annotations

import math

import pytest

from tf1pruning.choosing import width_path
from tf1pruning.choosing.width_table import GroupWidths, Width, WidthTable
from tf1pruning.plan import BLOCK, GroupPlan, Plan
from tf1pruning.steps import width_corrections
from tf1pruning.steps.width_plans import WidthPlan

CHANNELS, BUDGET = 8, 8


def group(name, each):
    """A group that loses up to seven channels, at so much each when alone."""
    entries = [Width(tuple(range(n)), n * each) for n in range(1, CHANNELS)]
    return GroupWidths(name, CHANNELS, tuple(entries))


TABLE = WidthTable('model', 'samples', 0, 1, (group('a', 0.01), group('b', 0.01)))


def plan_by(table):
    """Half of all channels go."""
    picks = width_path.within_budget(
        table.groups, lambda picks: 2 * CHANNELS - sum(picks), BUDGET
    )
    groups = (
        GroupPlan(group.name, 'plain', CHANNELS, tuple(range(pick)), pick, False, ())
        for group, pick in zip(table.groups, picks)
    )
    plan = Plan('print', BLOCK, 1, None, tuple(groups))
    return WidthPlan(plan, width_path.change(table.groups, picks))


def trial_with(costs, seen=None):
    """Measures plans where a channel of a group costs so much."""

    def trial(plan):
        if seen is not None:
            seen.append(plan)
        owns = [costs[group.name] * len(group.removed) for group in plan.groups]
        return math.sqrt(sum(own**2 for own in owns))

    return trial


def kept(planned):
    return {group.name: group.kept_count for group in planned.plan.groups}


def test_a_group_that_costs_more_within_a_plan_gets_wider():
    costs = {'a': 0.06, 'b': 0.01}
    first = plan_by(TABLE)

    found = width_corrections.corrected(TABLE, plan_by, trial_with(costs))

    assert kept(first) == {'a': 4, 'b': 4}
    assert kept(found)['a'] > 5
    assert found.change == pytest.approx(trial_with(costs)(found.plan))
    assert found.change < trial_with(costs)(first.plan)


def test_a_table_that_is_right_is_not_corrected():
    seen, done = [], []
    trial = trial_with({'a': 0.01, 'b': 0.01}, seen)

    found = width_corrections.corrected(TABLE, plan_by, trial, done.append)

    assert found.plan == plan_by(TABLE).plan
    assert [(each.done, each.total) for each in done] == [(1, 2), (2, 2)]
    assert len(seen) == 3


def test_a_correction_that_changes_the_answers_more_is_dropped():
    first = plan_by(TABLE).plan

    def trial(plan):
        if all(group.removed for group in plan.groups):
            return 0.1 if plan == first else 0.2
        return 0.0 if plan.groups[0].removed else 0.09

    found = width_corrections.corrected(TABLE, plan_by, trial)

    assert (found.plan, found.change) == (first, 0.1)
