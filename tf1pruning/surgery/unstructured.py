"""Weight pruning: single small weights become zero; no shape ever shrinks."""

from __future__ import annotations

import numpy as np

from tf1pruning.plan import wanted_share


def with_smallest_zero(array: np.ndarray, share: float) -> np.ndarray:
    """A copy with zeros in place of the smallest magnitudes.

    Among equal ones the first go first, so that exactly the share goes, rounded down.

    >>> with_smallest_zero(np.array([3.0, -1.0, 2.0, -4.0]), 0.5).tolist()
    [3.0, 0.0, 0.0, -4.0]
    """
    result = np.array(array)
    count = wanted_share(share, array.size)
    order = np.argsort(np.abs(array), axis=None, kind='stable')
    result.flat[order[:count]] = 0
    return result
