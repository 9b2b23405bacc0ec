from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests import networks
from tests.surgery import nets
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels.trace import trace
from tf1pruning.errors import PlanError
from tf1pruning.surgery import rounds

BLOCK = networks.BLOCK
FIRST = {BLOCK: [0, 3, 4, 20], 'SE1': [1]}
SECOND = {BLOCK: [0, 1, 19], 'SE1': [2]}
# 1 and 2 are the first that stay, 23 is the last.
BOTH = {BLOCK: (0, 1, 2, 3, 4, 20, 23), 'SE1': (1, 3)}


def stripped(net, plan):
    result = net.soft_pruned(plan).strip(plan)
    found = trace(result.model)
    return nets.Net(found, groups_lib.find_groups(found), result.arrays)


def two_rounds(net):
    first = net.plan(FIRST)
    smaller = stripped(net, first)
    return first, smaller, smaller.plan(SECOND)


def test_two_rounds_are_one_round_with_the_composed_plan():
    net = nets.net_of(networks.inverted_residual_net())
    first, smaller, second = two_rounds(net)

    both = rounds.compose(first, second, net.groups)

    assert {g.name: g.removed for g in both.groups} == BOTH
    expected, found = stripped(smaller, second), stripped(net, both)
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_names_stay_and_the_fingerprint_moves_on():
    net = nets.net_of(networks.inverted_residual_net())

    first, smaller, second = two_rounds(net)

    assert [g.name for g in smaller.groups] == [g.name for g in net.groups]
    assert set(smaller.arrays) == set(net.arrays)
    third = stripped(smaller, second).plan({BLOCK: [0], 'SE1': [0]})
    assert len({first.fingerprint, second.fingerprint, third.fingerprint}) == 3
    with pytest.raises(PlanError, match='a stripped network'):
        smaller.strip(first)


def test_both_rounds_have_the_multiple_of_the_second_and_no_threshold():
    net = nets.net_of(networks.inverted_residual_net())
    first, _, second = two_rounds(net)
    first = dataclasses.replace(first, threshold=0.5, channel_multiple=4)

    both = rounds.compose(first, second, net.groups)

    assert (both.channel_multiple, both.threshold) == (1, None)


def test_composing_is_associative():
    net = nets.net_of(networks.inverted_residual_net())
    first, smaller, second = two_rounds(net)
    third = stripped(smaller, second).plan({BLOCK: [5], 'SE1': [0]})

    left = rounds.compose(rounds.compose(first, second, net.groups), third, net.groups)
    right = rounds.compose(
        first, rounds.compose(second, third, smaller.groups), net.groups
    )

    assert left == right


def test_plans_that_do_not_follow_each_other_are_refused():
    net = nets.net_of(networks.inverted_residual_net())
    first, _, second = two_rounds(net)
    fewer = dataclasses.replace(first, groups=first.groups[:1])

    with pytest.raises(PlanError, match='24 channels in the second plan and 20 after'):
        rounds.compose(first, first, net.groups)
    with pytest.raises(PlanError, match="'SE1' is not a group"):
        rounds.compose(fewer, second, net.groups)
