from __future__ import annotations

import numpy as np
import pytest

from benchmarks import spread


@pytest.mark.parametrize(
    ('others', 'expected'),
    [
        ([0.4, 0.5, 0.6], True),
        # Better on average only: by 0.3, 0.1 and -0.1.
        ([0.3, 0.6, 0.9], False),
        ([0.5, 0.7, 0.75], False),
        ([0.6, 0.7, 0.8], False),
    ],
)
def test_a_difference_counts_if_it_exceeds_its_spread(others, expected):
    ones = np.array([0.6, 0.7, 0.8])

    assert spread.is_above(ones, np.array(others)) is expected


def test_what_all_figures_of_a_seed_share_is_no_spread():
    assert spread.is_above(np.array([0.2, 0.9]), np.array([0.1, 0.8]))


def test_one_seed_says_nothing():
    assert not spread.is_above(np.array([0.9]), np.array([0.1]))


def test_figures_are_taken_in_the_order_of_the_seeds():
    seeds = [{'a': {'accuracy': 0.5}}, {'a': {'accuracy': 0.25}}]

    assert spread.values(seeds, 'a').tolist() == [0.5, 0.25]
