"""Figures of several seeds: their mean, their spread, and what exceeds it."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np

from benchmarks.pieces import Found

# A difference counts from so many of its standard deviations on.
TIMES = 2


def values(
    seeds: Sequence[Mapping[str, Found]], piece: str, name: str = 'accuracy'
) -> np.ndarray:
    """`[seeds]` figures of one name, in the order of the seeds."""
    return np.array([found[piece][name] for found in seeds], np.float64)


def deviation(figures: np.ndarray) -> float:
    """Standard deviation (of a sample); NaN for one seed, which has none.

    >>> deviation(np.array([1.0, 2.0, 3.0]))
    1.0
    """
    return float(np.std(figures, ddof=1)) if len(figures) > 1 else float('nan')


def is_above(ones: np.ndarray, others: np.ndarray) -> bool:
    """Whether the mean of the differences, seed by seed, exceeds their spread.

    A seed's figures share its first training, so that what this did to both is not
    counted as spread. Of one seed nothing is said.
    """
    differences = ones - others
    return bool(differences.mean() > TIMES * deviation(differences))


def percents(figures: np.ndarray) -> str:
    """Mean and standard deviation of shares.

    >>> percents(np.array([0.5, 0.51, 0.52]))
    '51.00 (1.00)'
    >>> percents(np.array([0.5]))
    '50.00'
    """
    mean = f'{100 * figures.mean():.2f}'
    if len(figures) == 1:
        return mean
    return f'{mean} ({100 * deviation(figures):.2f})'
