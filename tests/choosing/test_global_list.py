from __future__ import annotations

import pytest

from tests.choosing import groups
from tf1pruning.choosing import global_list
from tf1pruning.choosing.choice import Choice, Limits, Target
from tf1pruning.errors import PlanError

A = groups.scored('a', [9, 1, 8, 2])
B = groups.scored('b', [7, 6, 3, 0])
COSTS = {'a': 10, 'b': 1}


def cost(plans):
    return sum(COSTS[plan.name] * plan.kept_count for plan in plans)


@pytest.mark.parametrize(
    ('amount', 'limits', 'removed'),
    [
        ({'ratio': 0.25}, Limits(), {'a': (0, 2), 'b': ()}),
        ({'count': 4}, Limits(), {'a': (0, 2), 'b': (0, 1)}),
        ({'count': 4}, Limits(min_width=2), {'a': (0, 2), 'b': (0, 1)}),
        ({'count': 3}, Limits(multiple=2), {'a': (0, 2), 'b': ()}),
    ],
)
def test_channels_of_all_groups_are_one_list(amount, limits, removed):
    choice = Choice(**amount, ranking='global', limits=limits)

    assert groups.removed(global_list.choose([A, B], choice)) == removed


def test_of_equal_channels_those_of_the_first_group_go_first():
    equal = [groups.scored(name, [1.0] * 20) for name in 'ab']

    found = global_list.choose(equal, Choice(count=20, ranking='global'))

    assert groups.removed(found) == {'a': tuple(range(19)), 'b': (0,)}


@pytest.mark.parametrize('limits', [Limits(max_share=0.25), Limits(min_width=3)])
def test_more_than_the_limits_allow_is_refused(limits):
    choice = Choice(count=3, ranking='global', limits=limits)

    with pytest.raises(PlanError, match=r'3 of 8 channels.*let at most 2 go'):
        global_list.choose([A, B], choice)


def test_a_channel_that_a_group_keeps_is_not_ranked():
    choice = Choice(count=3, ranking='global', limits=Limits(min_width=3))
    wide = groups.scored('b', [7, 6, 3, 0, 0])

    # Channel 2 of `a` comes second, and must stay.
    found = global_list.choose([A, wide], choice)

    assert groups.removed(found) == {'a': (0,), 'b': (0, 1)}


@pytest.mark.parametrize(
    ('share', 'removed'),
    [
        # 44 in all; 34, 24, 23, 22, 21, 11 after one to six channels.
        (0.9, {'a': (0,), 'b': ()}),
        (34 / 44, {'a': (0,), 'b': ()}),
        (0.53, {'a': (0, 2), 'b': (0,)}),
        (0.25, {'a': (0, 2, 3), 'b': (0, 1, 2)}),
    ],
)
def test_a_target_takes_the_shortest_beginning_of_the_list(share, removed):
    choice = Choice(target=Target('macs', share))

    assert groups.removed(global_list.choose([A, B], choice, cost)) == removed


@pytest.mark.parametrize('share', [0.29, 0.57, 0.58])
def test_a_plan_that_costs_exactly_the_share_meets_the_target(share):
    wide = groups.scored('a', range(100))
    choice = Choice(target=Target('parameters', share))

    (plan,) = global_list.choose([wide], choice, lambda plans: plans[0].kept_count)

    assert plan.kept_count == round(share * 100)


def test_a_target_out_of_reach_says_how_far_it_can_go():
    choice = Choice(target=Target('macs', 0.5), limits=Limits(min_width=3))

    with pytest.raises(PlanError) as caught:
        global_list.choose([A, B], choice, cost)

    # 33 of 44 stay.
    assert 'The target is 50.0% of the macs' in str(caught.value)
    assert 'at least 75.0% stay' in str(caught.value)


def test_a_penalty_lets_the_expensive_channels_go_first():
    choice = Choice(count=3, ranking='global')

    plain = global_list.choose([A, B], choice)
    costly = global_list.penalized([A, B], {'a': 1.0, 'b': 4.0}, 10.0)

    # `a` gets 10 * 1 / 4 more, `b` 10.
    assert costly[0].scores.tolist() == [11.5, 3.5, 10.5, 4.5]
    assert costly[1].scores.tolist() == [17.0, 16.0, 13.0, 10.0]
    assert groups.removed(plain) == {'a': (0, 2), 'b': (0,)}
    assert groups.removed(global_list.choose(costly, choice)) == {
        'a': (),
        'b': (0, 1, 2),
    }
