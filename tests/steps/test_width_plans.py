"""Plans by tables meet budgets, or say how far these can go."""

from __future__ import annotations

import dataclasses

import pytest

from tests.steps.test_repairing import model_of
from tests.steps.test_width_measuring import two_layers
from tf1pruning.choosing.choice import Target
from tf1pruning.choosing.width_table import GroupWidths, Width, WidthTable
from tf1pruning.errors import PlanError
from tf1pruning.steps import budgets, width_files, width_plans


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return model_of(two_layers, tmp_path_factory.mktemp('net'))


@pytest.fixture(scope='module')
def groups(model):
    return [group for group in model.groups if not group.frozen]


@pytest.fixture(scope='module')
def table(model, groups):
    """The first group does not matter, the second does."""
    widths = [(2, 0.01, 0.3), (4, 0.02, 0.6), (6, 0.03, 0.9)]

    def group(number):
        entries = [Width(tuple(range(w[0])), w[1 + number]) for w in widths]
        return GroupWidths(groups[number].name, 8, tuple(entries))

    digest = width_files.digest(model)
    return WidthTable(digest, 'samples', 0, 2, (group(0), group(1)))


def widths(planned):
    return [group.kept_count for group in planned.plan.groups]


# MACs for each of 64 pixels: 3 a + a b + 5 b with the widths a and b.
@pytest.mark.parametrize(
    'quantity, share, kept',
    [
        ('macs', 0.999, [6, 8]),
        ('macs', 0.66, [4, 8]),
        ('macs', 0.49, [2, 8]),
        ('macs', 0.38, [2, 6]),
        ('parameters', 0.7, [4, 8]),
    ],
)
def test_a_budget_is_met_by_the_group_that_does_not_matter(
    model, groups, table, quantity, share, kept
):
    planned = width_plans.plan_for_target(model, groups, table, Target(quantity, share))

    assert widths(planned) == kept
    cost = budgets.measure_of(model, quantity)
    nothing = dataclasses.replace(planned.plan, groups=())
    assert cost(planned.plan) <= share * cost(nothing)
    assert planned.plan.channel_multiple == 2


def test_the_change_to_expect_is_that_of_the_table(model, groups, table):
    planned = width_plans.plan_for_target(model, groups, table, Target('macs', 0.38))
    assert planned.change == pytest.approx((0.03**2 + 0.3**2) ** 0.5)


def test_a_budget_out_of_reach_says_how_far_it_can_go(model, groups, table):
    # 2 * 3 + 2 * 2 + 2 * 5 of 8 * 3 + 8 * 8 + 8 * 5.
    with pytest.raises(PlanError, match=r'10\.0% of the macs.*15\.6% stay'):
        width_plans.plan_for_target(model, groups, table, Target('macs', 0.1))


def test_latency_is_measured_where_it_must_be_only(monkeypatch, model, groups, table):
    seen = []
    measure_of = budgets.measure_of

    def latency(plan):
        seen.append(plan)
        return 1.0 + plan.kept_count

    def fake(model, quantity, *limits):
        return latency if quantity == 'latency' else measure_of(model, quantity)

    monkeypatch.setattr(budgets, 'measure_of', fake)
    planned = width_plans.plan_for_target(model, groups, table, Target('latency', 0.85))
    assert widths(planned) == [4, 8]
    assert len(seen) < 12


@pytest.mark.parametrize(
    'most, kept', [(0.02, [4, 8]), (0.1, [2, 8]), (0.4, [2, 6]), (5.0, [2, 2])]
)
def test_a_largest_change_is_kept_to(model, groups, table, most, kept):
    planned = width_plans.plan_for_change(model, groups, table, most)
    assert widths(planned) == kept
    assert planned.change <= most


def test_a_change_that_allows_nothing_is_refused(model, groups, table):
    with pytest.raises(PlanError, match=r'changes them by 0\.01'):
        width_plans.plan_for_change(model, groups, table, 0.001)


def test_groups_that_are_left_out_stay_whole(model, groups, table):
    planned = width_plans.plan_for_change(model, groups[1:], table, 5.0)
    assert [group.name for group in planned.plan.groups] == [groups[1].name]


@pytest.mark.parametrize(
    'changes, message',
    [({'model': 'other'}, 'another model'), ({'groups': ()}, 'lacks')],
)
def test_tables_that_do_not_fit_are_refused(model, groups, table, changes, message):
    other = dataclasses.replace(table, **changes)
    with pytest.raises(PlanError, match=message):
        width_plans.plan_for_change(model, groups, other, 5.0)
