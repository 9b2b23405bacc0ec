"""Paces: how much is gone after each of n rounds that end at a share.

A pace is a function of the final share, the round (1 to n) and n. It gives the share of
the whole that is gone then, not of what is left: so no rounding adds up, and the last
round ends at the final share.
"""

from __future__ import annotations

from typing import Callable

from tf1pruning import typed

# (share, number of the round, rounds) -> share
Pace = Callable[[float, int, int], float]


@typed.checked
def harmonic(share: float, number: int, rounds: int) -> float:
    """Most goes first: of what is left, round i takes `p / (i p + n (1 - p))`.

    The split of github.com/EkdeepSLubana/flowandprune (Lubana and Dick, arXiv
    2009.11839). The product of what each round leaves is
    `n (1 - p) / (i p + n (1 - p))`.

    >>> [round(harmonic(0.75, number, 3), 3) for number in (1, 2, 3)]
    [0.5, 0.667, 0.75]
    """
    return number * share / (number * share + rounds * (1 - share))


@typed.checked
def linear(share: float, number: int, rounds: int) -> float:
    """All rounds take one share of the whole.

    >>> [linear(0.75, number, 3) for number in (1, 2, 3)]
    [0.25, 0.5, 0.75]
    """
    return share * number / rounds


@typed.checked
def cubic(share: float, number: int, rounds: int) -> float:
    """Fast first, then slower and slower (Zhu and Gupta, arXiv 1710.01878, eq. 1).

    >>> [round(cubic(0.75, number, 3), 3) for number in (1, 2, 3)]
    [0.528, 0.722, 0.75]
    """
    return share * (1 - (1 - number / rounds) ** 3)
