from __future__ import annotations

import numpy as np
import pytest

from tests.choosing import groups
from tf1pruning.choosing import groupwise
from tf1pruning.choosing.choice import Choice, Limits, WidthBins


def test_the_channels_above_the_threshold_go():
    scored = groups.scored('b', [0.9, 0.5, 0.6, 0.3, 0.8])

    (plan,) = groupwise.choose(
        [scored.group], Choice(threshold=0.5), groups.scorer(scored)
    )

    assert (plan.removed, plan.wanted, plan.capped) == ((0, 2, 4), 3, False)


def test_of_too_many_the_most_redundant_go():
    scored = groups.scored('b', [0.9, 0.6, 0.7, 0.1, 0.8, 0.1])

    plan = groupwise.take(scored, 4, Limits(4))

    assert (plan.removed, plan.wanted, plan.capped) == ((0, 4), 4, True)


def test_as_many_as_may_go_are_no_cap():
    scored = groups.scored('b', [0.9, 0.6, 0.7, 0.1])

    plan = groupwise.take(scored, 3, Limits())

    assert (plan.removed, plan.capped) == ((0, 1, 2), False)


def test_of_equal_scores_the_smallest_magnitude_goes():
    scored = groups.scored('b', np.full(5, 0.9), [3.0, 1.0, 4.0, 2.0, 2.0])

    plan = groupwise.take(scored, 5, Limits(3))

    # Channels 3 and 4 are equal in everything: the first of them goes.
    assert (plan.removed, plan.kept_count) == ((1, 3), 3)


@pytest.mark.parametrize(
    ('width', 'multiple', 'removed'), [(8, 4, 4), (4, 4, 0), (3, 4, 0), (3, 1, 2)]
)
def test_a_group_that_is_all_redundant_is_capped(width, multiple, removed):
    plan = groupwise.take(groups.scored('b', np.ones(width)), width, Limits(multiple))

    assert len(plan.removed) == removed
    assert (plan.wanted, plan.capped) == (width, True)


@pytest.mark.parametrize(
    ('choice', 'removed'),
    [
        (Choice(ratio=0.5), {'a': (0, 1), 'b': (4, 5, 3)}),
        (Choice(count=1), {'a': (0,), 'b': (5,)}),
        (Choice(bins=WidthBins((5, 10), (0.4,))), {'a': (), 'b': (4, 5)}),
        (Choice(scope_ratios=(('a', 0.25),)), {'a': (0,), 'b': ()}),
        (Choice(ratio=0.9, limits=Limits(max_share=0.4)), {'a': (0,), 'b': (4, 5)}),
    ],
)
def test_each_group_loses_its_own_share(choice, removed):
    scored = [groups.scored('a', [4, 3, 2, 1]), groups.scored('b', [1, 2, 3, 4, 5, 6])]

    found = groupwise.choose([s.group for s in scored], choice, groups.scorer(*scored))

    assert groups.removed(found) == {n: tuple(sorted(r)) for n, r in removed.items()}


def test_a_scorer_learns_how_many_channels_stay():
    scored = groups.scored('b', [1, 2, 3, 4, 5, 6, 7, 8])
    asked = []

    def scorer(group, kept):
        asked.append(kept)
        return scored

    groupwise.choose([scored.group], Choice(ratio=0.4, limits=Limits(2)), scorer)

    # 3 of 8 are wanted; 5 is rounded up to 6.
    assert asked == [6]
