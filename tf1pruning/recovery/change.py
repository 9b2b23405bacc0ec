"""How far the answers of a network are from those of another, over many samples.

The *change* of an output is the RMS difference over the RMS deviation of the reference
from its mean (of each position along the last axis): 0 says equal answers, 1 answers
that are no better than the mean.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import names
from tf1pruning.errors import DataError, OptionError

# Share of the mean square below which a variance is rounding.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class Change:
    """What a network answers, against a reference.

    Attributes:
      outputs: output -> its change; those of numbers with fractions only.
      agreement: share of the examples, or of their pixels, at which the largest element
        along the last axis is the same one, of the first output with such an axis; None
        if there is none.
    """

    outputs: Mapping[str, float]
    agreement: Optional[float]

    @property
    def worst(self) -> float:
        """The change of the output that changed most."""
        return max(self.outputs.values())


def check_allowed(most: float) -> None:
    """Raises OptionError unless a largest change lies between 0 and 1."""
    if not 0 < most <= 1:
        raise OptionError(
            f'The largest change is {most:g}; expected above 0 and at most 1, at which '
            'answers are no better than their mean. 0.05 means 5 %.',
            options=('max_change',),
        )


def compared(before: Change, after: Change) -> str:
    """What became of the change of the worst output, and of the agreement, in words."""
    text = f'change of the outputs {before.worst:.3f} -> {after.worst:.3f}'
    if before.agreement is None or after.agreement is None:
        return text
    return (
        f'{text}, agreement of the largest {100 * before.agreement:.1f} % -> '
        f'{100 * after.agreement:.1f} %'
    )


class ChangeMeter:
    """Adds up the differences of two networks, batch by batch.

    Args:
      outputs: names of their outputs.
    """

    def __init__(self, outputs: Sequence[str]):
        self._sums: Dict[str, _Sums] = {name: _Sums() for name in outputs}

    def update(
        self, reference: Sequence[np.ndarray], found: Sequence[np.ndarray]
    ) -> None:
        """Adds a batch.

        Args:
          reference: per output what the reference answers.
          found: what the other network does, of the same shapes.
        """
        for sums, a, b in zip(self._sums.values(), reference, found):
            if a.dtype.kind == 'f' and a.size:
                sums.add(_rows(a), _rows(b))

    def result(self) -> Change:
        """The change over all batches.

        Raises:
          DataError: if no output has numbers with fractions, or one is not finite.
        """
        used = {name: sums for name, sums in self._sums.items() if sums.count}
        if not used:
            raise DataError(
                f'The outputs {names.quoted(list(self._sums))} are no numbers with '
                'fractions, so a difference has no scale. Name an output before the '
                'op that makes integers or strings of them, such as the scores that '
                'an ArgMax reads.',
                options=('output_nodes',),
            )
        shares = [sums.agreement for sums in used.values()]
        agreement = next((share for share in shares if share is not None), None)
        changes = {name: sums.change for name, sums in used.items()}
        bad = [name for name, change in changes.items() if np.isnan(change)]
        if bad:
            raise DataError(f'Outputs {names.quoted(bad)} are not finite on the data.')
        return Change(changes, agreement)

    def variances(self) -> Dict[str, float]:
        """Output -> mean squared deviation of the reference, of those that vary.

        Raises:
          DataError: like `result`, or if none varies.
        """
        self.result()
        found = {name: sums.variance for name, sums in self._sums.items()}
        varying = {name: value for name, value in found.items() if value > 0}
        if not varying:
            raise DataError(
                f'The outputs {names.quoted(list(found))} are the same for all '
                'samples, so that nothing can be compared. Give several that differ.',
                options=('data',),
            )
        return varying


def _rows(array: np.ndarray) -> np.ndarray:
    """`[rows, last axis]`; numbers without an axis besides the batch have one of 1."""
    width = array.shape[-1] if array.ndim > 1 else 1
    return array.reshape(-1, width).astype(np.float64)


class _Sums:
    """Sums over the rows of one output.

    Deviations are counted from the mean of the first batch: then little is lost where
    the mean is large.
    """

    def __init__(self) -> None:
        self.count = 0
        self._agreed = 0
        self._shift: Optional[np.ndarray] = None
        self._squares = 0.0
        self._differences = 0.0
        self._total = np.zeros(())

    def add(self, reference: np.ndarray, found: np.ndarray) -> None:
        if self._shift is None:
            self._shift = reference.mean(axis=0)
        deviation = reference - self._shift
        self._total = self._total + deviation.sum(axis=0)
        self._squares += float(np.square(deviation).sum())
        self._differences += float(np.square(reference - found).sum())
        self.count += len(reference)
        if reference.shape[1] > 1:
            same = reference.argmax(axis=1) == found.argmax(axis=1)
            self._agreed += int(same.sum())

    @property
    def agreement(self) -> Optional[float]:
        return self._agreed / self.count if self._total.size > 1 else None

    @property
    def variance(self) -> float:
        """Mean squared deviation of the reference; 0 if it is no more than rounding."""
        if self._shift is None:
            return 0.0
        found = self._spread / (self.count * self._total.size)
        mean = self._shift + self._total / self.count
        return found if found > _ROUNDING * np.square(mean).mean() else 0.0

    @property
    def _spread(self) -> float:
        return self._squares - float(np.square(self._total).sum()) / self.count

    @property
    def change(self) -> float:
        """RMS difference over RMS deviation; infinite where nothing varies."""
        spread = self._spread
        if self._differences == 0:
            return 0.0
        if not np.isfinite(self._differences + spread):
            return np.nan
        return float(np.sqrt(self._differences / spread)) if spread > 0 else np.inf
