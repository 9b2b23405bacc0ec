"""A checkpoint whose variables have the values of their moving averages."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from tf1pruning.ckpt.arrays import Arrays

SUFFIX = '/ExponentialMovingAverage'


class Averaged(Arrays):
    """Reads a variable's moving average where there is one, else the variable.

    Args:
      variables: all variables, averages included (`w/ExponentialMovingAverage`).
    """

    def __init__(self, variables: Arrays):
        self._variables = variables
        self.shapes = dict(variables.shapes)
        self.dtypes = dict(variables.dtypes)

    def __getitem__(self, name: str) -> np.ndarray:
        average = name + SUFFIX
        return self._variables[average if average in self.shapes else name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
