"""What is gone stays gone."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.training import hooked
from tf1pruning.choosing import groupwise
from tf1pruning.choosing.choice import Limits
from tf1pruning.choosing.scores import Scored
from tf1pruning.schedules import growth

SCORES = np.array([0.1, 0.4, 0.3, 0.2])


def scorer(group, kept=None):
    return Scored(group, SCORES, np.zeros(4))


def removed(plan):
    return plan.groups[0].removed


def test_what_is_gone_goes_first_and_scores_are_left_alone():
    before = hooked.plan([0])

    scored = growth.gone_first(scorer, before)(hooked.group(), None)

    assert groupwise.take(scored, 1, Limits()).removed == (0,)
    assert groupwise.take(scored, 2, Limits()).removed == (0, 1)
    assert SCORES[0] == 0.1


def test_without_an_earlier_plan_scores_decide():
    scored = growth.gone_first(scorer, None)(hooked.group(), None)

    assert groupwise.take(scored, 1, Limits()).removed == (1,)


def test_a_plan_never_shrinks():
    small, large = hooked.plan([0]), hooked.plan([0, 1])

    assert removed(growth.at_least(small, large)) == (0, 1)
    assert removed(growth.at_least(large, small)) == (0, 1)
    assert removed(growth.at_least(small, None)) == (0,)


def test_a_group_that_was_not_planned_before_is_taken_as_it_is():
    other = dataclasses.replace(hooked.plan([0]), groups=())

    assert removed(growth.at_least(hooked.plan([1]), other)) == (1,)
