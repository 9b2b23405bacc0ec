"""Sizes of arrays, from their shapes."""

from __future__ import annotations

import functools
import operator
from typing import Iterable


def element_count(shape: Iterable[int]) -> int:
    """Number of elements of an array.

    Many times faster than `np.prod` on the short tuples that shapes are.

    >>> element_count((2, 3)), element_count(())
    (6, 1)
    """
    return functools.reduce(operator.mul, shape, 1)
