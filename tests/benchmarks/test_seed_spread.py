from __future__ import annotations

import numpy as np
import pytest

from benchmarks import seed_spread


@pytest.mark.parametrize(
    ('others', 'expected'),
    [([0.4, 0.5], True), ([0.4, 0.54], False), ([0.6, 0.7], False)],
)
def test_a_difference_counts_if_it_exceeds_twice_the_spread(others, expected):
    ones = np.array([0.5, 0.6])

    assert seed_spread.is_above(ones, np.array(others), 0.045) is expected


def test_the_typical_deviation_is_a_root_mean_square():
    samples = [np.array([0.1, 0.2, 0.3]), np.array([1.0, 1.7, 2.4])]

    np.testing.assert_allclose(seed_spread.typical(samples), 0.5)


def test_figures_are_taken_in_the_order_of_the_seeds():
    seeds = [{'a': {'accuracy': 0.5}}, {'a': {'accuracy': 0.25}}]

    assert seed_spread.values(seeds, 'a').tolist() == [0.5, 0.25]
