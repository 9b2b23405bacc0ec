"""How much is gone after each round."""

from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.schedules import paces

PACES = [paces.harmonic, paces.linear, paces.cubic]


def after_rounds(pace, share, rounds):
    return [pace(share, number, rounds) for number in range(1, rounds + 1)]


@pytest.mark.parametrize('pace', PACES)
@pytest.mark.parametrize('share', [0.1, 0.75, 0.99])
def test_every_pace_grows_and_ends_at_the_share(pace, share):
    gone = after_rounds(pace, share, 25)

    assert gone[0] > 0
    assert all(a < b for a, b in zip(gone, gone[1:]))
    assert gone[-1] == pytest.approx(share, abs=1e-12)


def test_the_harmonic_rounds_multiply_to_what_is_left():
    # p / (i p + n (1 - p)) of what is left goes in round i: the formula as published.
    share, rounds = 0.75, 25
    ratios = [share / (i * share + rounds * (1 - share)) for i in range(1, 26)]

    gone = after_rounds(paces.harmonic, share, rounds)

    np.testing.assert_allclose(gone, 1 - np.cumprod(1 - np.array(ratios)), atol=1e-12)


def test_the_cubic_pace_is_that_of_zhu_and_gupta():
    # s_f + (s_i - s_f) (1 - t / n)^3 with s_i = 0.
    assert after_rounds(paces.cubic, 0.8, 2) == pytest.approx([0.8 - 0.8 / 8, 0.8])
