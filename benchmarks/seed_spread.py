"""Figures of several seeds: their mean, their spread, and what exceeds it."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

import numpy as np

from benchmarks.resumable import Found

# A difference counts from so many typical deviations on. Two means of two seeds differ
# by that in one of twenty cases by chance, those of more seeds more rarely.
TIMES = 2


def values(
    seeds: Sequence[Mapping[str, Found]], piece: str, name: str = 'accuracy'
) -> np.ndarray:
    """`[seeds]` figures of one name, in the order of the seeds."""
    return np.array([found[piece][name] for found in seeds], np.float64)


def deviation(figures: np.ndarray) -> float:
    """Standard deviation of a sample, of two figures at least.

    >>> deviation(np.array([1.0, 2.0, 3.0]))
    1.0
    """
    return float(np.std(figures, ddof=1))


def typical(samples: Iterable[np.ndarray]) -> float:
    """Root mean square of the deviations of samples.

    Each alone says little of few seeds; many together say more.
    """
    return float(np.sqrt(np.mean([deviation(each) ** 2 for each in samples])))


def is_above(ones: np.ndarray, others: np.ndarray, spread: float) -> bool:
    """Whether a mean is above another by more than the spread.

    Args:
      ones: figures of the seeds.
      others: figures of the same seeds.
      spread: typical deviation of such figures.
    """
    return bool(ones.mean() - others.mean() > TIMES * spread)


def percents(figures: np.ndarray) -> str:
    """Mean and standard deviation of shares.

    >>> percents(np.array([0.5, 0.51, 0.52]))
    '51.00 (1.00)'
    """
    return f'{100 * figures.mean():.2f} ({100 * deviation(figures):.2f})'
