"""Widths by tables with literal changes and costs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tf1pruning.choosing import width_path
from tf1pruning.choosing.width_table import GroupWidths, Width
from tf1pruning.errors import PlanError


def group(name, *changes):
    """A group of as many channels as there are changes, and one."""
    entries = [Width(tuple(range(n + 1)), c) for n, c in enumerate(changes)]
    return GroupWidths(name, len(changes) + 1, tuple(entries))


MATTERS, USELESS = group('matters', 0.3, 0.6, 0.9), group('useless', 0.01, 0.02, 0.03)
GROUPS = [MATTERS, USELESS]


def product(picks):
    """Of two layers in a row: what one channel costs depends on the other group."""
    return float((4 - picks[0]) * (4 - picks[1]))


def total(picks):
    return float(sum(4 - pick for pick in picks))


@pytest.mark.parametrize(
    'budget, picks', [(16, (0, 0)), (12, (0, 1)), (8, (0, 2)), (4, (0, 3)), (3, (1, 3))]
)
def test_a_useless_group_goes_first(budget, picks):
    assert width_path.within_budget(GROUPS, product, budget) == picks


@pytest.mark.parametrize(
    'most, picks', [(0.02, (0, 2)), (0.29, (0, 3)), (0.4, (1, 3)), (2.0, (3, 3))]
)
def test_a_change_is_kept_to(most, picks):
    assert width_path.within_change(GROUPS, product, most) == picks


def test_changes_of_groups_add_up_like_errors():
    groups = [group('a', 0.3), group('b', 0.4)]
    assert width_path.change(groups, (1, 1)) == pytest.approx(0.5)


def test_no_plan_on_a_grid_is_better_where_costs_add_up():
    generator = np.random.RandomState(0)
    groups = [group(n, *np.sort(generator.rand(3))) for n in 'abc']
    grid = list(itertools.product(range(4), repeat=3))
    for budget in (4, 6, 8, 10):
        allowed = [picks for picks in grid if total(picks) <= budget]
        best = min(width_path.change(groups, picks) for picks in allowed)

        found = width_path.within_budget(groups, total, budget)

        assert total(found) <= budget
        assert width_path.change(groups, found) <= 1.1 * best


def test_groups_exchange_widths_while_that_helps():
    # By the price of a unit b goes first, and then nothing is left for a's last step.
    groups = [group('a', 0.5, 0.51), group('b', 0.3, 0.52)]
    grid = list(itertools.product(range(3), repeat=2))
    for budget in range(4, 9):
        allowed = [picks for picks in grid if total(picks) <= budget]
        best = min(allowed, key=lambda picks: width_path.change(groups, picks))

        assert width_path.within_budget(groups, total, budget) == best


def test_a_dear_cost_is_measured_a_few_times_only():
    seen = []

    def dear(picks):
        seen.append(picks)
        return product(picks)

    found = width_path.within_budget(GROUPS, dear, 4, guide=product)

    assert found == (0, 3)
    assert len(seen) <= 12


def test_what_is_left_of_a_budget_is_given_back():
    # The hull of the first goes from 0 to 3 at once, which saves more than is needed.
    groups = [group('a', 0.5, 0.6, 0.61), group('b', 0.9, 0.95, 1.0)]
    assert width_path.within_budget(groups, total, 6) == (2, 0)


@pytest.mark.parametrize(
    'entries, message',
    [
        ((Width((0, 1), 0.1), Width((0,), 0.2)), 'ascending'),
        ((Width((0, 1, 2), 0.1),), 'ascending'),
        ((Width((3,), 0.1),), 'no channel 3'),
    ],
)
def test_tables_that_cannot_be_are_refused(entries, message):
    with pytest.raises(PlanError, match=message):
        GroupWidths('g', 3, entries)


def chain(width):
    """Cost of layers in a row, and of what each channel costs by itself."""

    def cost(picks):
        kept = [width - pick for pick in picks]
        return float(sum(a * b for a, b in zip(kept, kept[1:])) + sum(kept))

    return cost


def test_what_a_change_leaves_over_is_used():
    groups = [
        group('a', 0.3, 0.3, 1.1, 1.1),
        group('b', 0.5, 0.7, 0.7, 0.8),
        group('c', 0.6, 0.8, 1.0, 1.0),
    ]
    picks = width_path.within_change(groups, chain(5), 0.8)
    # Without it (2, 0, 0) is found, which costs twice as much.
    assert picks == (2, 3, 0)


@pytest.mark.parametrize(
    'changes, budget, picks',
    [
        # By one round of exchanges alone (0, 2, 0), which changes half as much again.
        (([0.2, 0.5, 0.7], [1.0, 1.1, 1.1], [0.6, 0.8, 0.9]), 31, (3, 0, 0)),
        # By exchanges of neighbouring widths alone (0, 2, 0).
        (([0.7, 0.9, 1.0], [0.1, 0.9, 1.0], [0.1, 0.2, 0.6]), 26, (0, 1, 3)),
    ],
)
def test_groups_go_on_exchanging_widths_of_any_distance(changes, budget, picks):
    groups = [group(name, *each) for name, each in zip('abc', changes)]
    assert width_path.within_budget(groups, chain(4), budget) == picks


@pytest.mark.parametrize('removed', [(1, 0), (0, 0), (2, 1)])
def test_a_width_lacks_each_channel_once_in_order(removed):
    with pytest.raises(PlanError, match='each once, in ascending order'):
        Width(removed, 0.1)


@pytest.mark.parametrize('channel', [-1, 3])
def test_a_channel_that_the_group_has_not_is_named(channel):
    with pytest.raises(PlanError, match=f"'a' has no channel {channel}"):
        GroupWidths('a', 3, (Width((channel,), 0.1),))
