"""Averages over batches whose memory does not grow with their number."""

from __future__ import annotations

from typing import Dict, Generic, Hashable, Mapping, Optional, TypeVar

import numpy as np

from tf1pruning.errors import OptionError

Key = TypeVar('Key', bound=Hashable)


class Averages(Generic[Key]):
    """Running averages of arrays, in double precision.

    Args:
      alpha: None: the mean, weighted by the sizes of the batches. Else the exponential
        average `alpha * new + (1 - alpha) * old`, which starts at the first batch.

    Raises:
      OptionError: if alpha does not lie in (0, 1].
    """

    def __init__(self, alpha: Optional[float] = None):
        if alpha is not None and not 0 < alpha <= 1:
            raise OptionError(
                f'The factor of the exponential average is {alpha}; expected above 0 '
                'and at most 1.'
            )
        self._alpha = alpha
        self._weight = 0
        self.values: Dict[Key, np.ndarray] = {}

    def update(self, arrays: Mapping[Key, np.ndarray], weight: int) -> None:
        """Takes up a batch of `weight` examples."""
        self._weight += weight
        share = weight / self._weight
        if self._alpha is not None and self.values:
            share = self._alpha
        for key, array in arrays.items():
            new = np.asarray(array, np.float64)
            old = self.values.get(key)
            self.values[key] = new if old is None else old + share * (new - old)
