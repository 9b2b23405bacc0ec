"""Which choice is made in which round."""

from __future__ import annotations

import math

import pytest

from tf1pruning.choosing.choice import (
    GLOBAL,
    Choice,
    Limits,
    Target,
    WidthBins,
)
from tf1pruning.errors import OptionError
from tf1pruning.plan import wanted_share
from tf1pruning.schedules import paces, schedule
from tf1pruning.schedules.schedule import Done, Round, Rounds

LIMITS = Limits(min_width=2)
DONE = Done(
    steps=1,
    removed=3,
    kept=9,
    parameters=0,
    macs=0,
    checkpoint='model.ckpt-1',
    pruned_metrics={},
    metrics={},
)


def choices(rounds):
    return [each.choice for each in rounds.rounds]


def ratios(rounds):
    return [choice.ratio for choice in choices(rounds)]


def test_rounds_are_given_one_after_the_other():
    rounds = schedule.ladder([0.8, 0.6], steps=5, limits=LIMITS)

    assert rounds([]) == Round(Choice(threshold=0.8, limits=LIMITS), 5)
    assert rounds([DONE]) == Round(Choice(threshold=0.6, limits=LIMITS), 5)
    assert rounds([DONE, DONE]) is None
    assert DONE.share == 0.25


@pytest.mark.parametrize('pace', [paces.harmonic, paces.linear, paces.cubic])
def test_three_quarters_in_25_rounds_leave_a_quarter(pace):
    rounds = schedule.spread(Choice(ratio=0.75), 25, 1, pace)

    gone = [wanted_share(ratio, 1000) for ratio in ratios(rounds)]
    assert len(gone) == 25
    assert gone == sorted(gone)
    assert gone[-1] == 750


def test_the_harmonic_pace_is_the_usual_one():
    assert ratios(schedule.spread(Choice(ratio=0.5), 2, 1)) == pytest.approx(
        [1 / 3, 0.5]
    )


def test_every_kind_of_share_is_spread():
    linear = paces.linear
    target = Choice(target=Target('macs', 0.4), limits=LIMITS)
    bins = WidthBins((1, 8, 64), (0.2, 0.4))
    varied = Choice(ratio=0.6, scope_ratios=(('a', 0.8),), bins=bins)

    (first, last) = choices(schedule.spread(target, 2, 1, linear))
    (half, _) = choices(schedule.spread(varied, 2, 1, linear))

    assert first.target.share == pytest.approx(0.7)
    assert last.target.share == pytest.approx(0.4)
    assert first.limits == LIMITS
    assert (half.ratio, half.scope_ratios) == (0.3, (('a', 0.4),))
    assert half.bins == WidthBins((1, 8, 64), (0.1, 0.2))


@pytest.mark.parametrize('choice', [Choice(threshold=0.5), Choice(count=3)])
def test_what_is_no_share_cannot_be_spread(choice):
    with pytest.raises(OptionError, match=r'ladder.*one_by_one'):
        schedule.spread(choice, 2, 1)


def test_channels_go_one_by_one_from_all_groups():
    rounds = schedule.one_by_one(3, steps=30, flop_penalty=1e-3, limits=LIMITS)

    assert choices(rounds) == [
        Choice(count=n, ranking=GLOBAL, limits=LIMITS, flop_penalty=1e-3)
        for n in (1, 2, 3)
    ]
    assert {each.steps for each in rounds.rounds} == {30}


def test_the_last_of_several_at_once_may_be_fewer():
    counts = [c.count for c in choices(schedule.one_by_one(7, 1, at_once=3))]

    assert counts == [3, 6, 7]


def test_layers_come_one_after_the_other():
    rounds = schedule.layer_by_layer([('a', 0.5), ('b', 0.75)], 10, limits=LIMITS)

    assert choices(rounds) == [
        Choice(scope_ratios=(('a', 0.5),), limits=LIMITS),
        Choice(scope_ratios=(('a', 0.5), ('b', 0.75)), limits=LIMITS),
    ]


def test_layers_are_visited_in_turn_until_all_have_their_share():
    rounds = schedule.layer_by_layer([('a', 0.25), ('b', 0.75)], 10, increment=0.25)

    assert [dict(choice.scope_ratios) for choice in choices(rounds)] == [
        {'a': 0.25},
        {'a': 0.25, 'b': 0.25},
        {'a': 0.25, 'b': 0.5},
        {'a': 0.25, 'b': 0.75},
    ]


def test_a_share_that_increments_miss_by_rounding_needs_no_visit_more():
    rounds = schedule.layer_by_layer([('a', 0.8)], 10, increment=0.1)

    shares = [dict(choice.scope_ratios)['a'] for choice in choices(rounds)]
    assert len(shares) == 8
    assert shares[-1] == 0.8


def test_a_share_that_iterations_miss_by_rounding_needs_no_round_more():
    assert ratios(schedule.iterate(0.1, 1, final_share=0.19)) == [
        pytest.approx(0.1),
        0.19,
    ]


def test_the_same_share_of_what_is_left_goes_until_a_percentage():
    rounds = schedule.iterate(0.5, 1, final_share=0.8)

    assert ratios(rounds) == [0.5, 0.75, 0.8]


def test_iterations_end_at_their_limit():
    assert ratios(schedule.iterate(0.5, 1, max_rounds=2)) == [0.5, 0.75]


def test_a_scheduler_gives_the_ratio_of_each_round():
    seen = []

    def scheduler(ratio, number):
        seen.append((ratio, number))
        return ratio / 2

    rounds = schedule.iterate(0.8, 1, max_rounds=2, scheduler=scheduler)

    assert seen == [(0.8, 1), (0.4, 2)]
    assert ratios(rounds) == pytest.approx([0.4, 1 - 0.6 * 0.8])


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: schedule.ladder([], 1), 'no round'),
        (lambda: schedule.ladder([0.5, 0.6], 1), '0.5, 0.6; expected each to be smal'),
        (lambda: schedule.ladder([0.5], 0), 'has 0 steps'),
        (lambda: schedule.spread(Choice(ratio=0.5), 0, 1), 'no round'),
        (lambda: schedule.one_by_one(0, 1), '0 channels'),
        (lambda: schedule.one_by_one(3, 1, at_once=0), '0 at once'),
        (lambda: schedule.layer_by_layer([], 1), 'no round'),
        (lambda: schedule.layer_by_layer([('a', 1.5)], 1), "'a' is 1.5"),
        (lambda: schedule.layer_by_layer([('a', 0.5)], 1, 0.0), 'increment is 0.0'),
        (lambda: schedule.layer_by_layer([('a', 0.5)] * 2, 1), 'given twice'),
        (lambda: schedule.iterate(1.0, 1), 'round 1 is 1.0'),
        (lambda: schedule.iterate(0.5, 1, final_share=1.0), 'final_share is 1.0'),
        (lambda: schedule.iterate(0.5, 1, max_rounds=0), 'no round'),
        (
            lambda: schedule.iterate(0.5, 1, scheduler=lambda p, i: math.nan),
            'round 1 is nan',
        ),
        (lambda: Rounds(()), 'no round'),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()
