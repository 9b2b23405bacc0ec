"""Moments of regressions, added up batch by batch: memory does not grow with the rows.

A regression has `systems` that are independent of each other, as the channels of a
depthwise convolution are; a dense layer has one.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Callable, Iterable, List, Optional, Sequence, Tuple

import numpy as np

# A sum without terms.
_NOTHING = np.zeros(())


@dataclasses.dataclass(frozen=True, eq=False)
class Regression:
    """Moments of inputs `x` and outputs `y`, per row and about their means.

    Attributes:
      count: number of rows.
      gram: `[systems, inputs, inputs]` covariance of the inputs.
      cross: `[systems, inputs, outputs]` covariance of inputs and outputs.
      power: `[systems, outputs]` variance of the outputs.
      mean_x: `[systems, inputs]`.
      mean_y: `[systems, outputs]`.
    """

    count: int
    gram: np.ndarray
    cross: np.ndarray
    power: np.ndarray
    mean_x: np.ndarray
    mean_y: np.ndarray

    def about_zero(self) -> Regression:
        """The moments about zero, of a regression without an intercept."""
        x, y = self.mean_x, self.mean_y
        return dataclasses.replace(
            self,
            gram=self.gram + x[:, :, np.newaxis] * x[:, np.newaxis],
            cross=self.cross + x[:, :, np.newaxis] * y[:, np.newaxis],
            power=self.power + np.square(y),
        )

    def joined(self, other: Regression) -> Regression:
        """The moments of the rows of both."""
        count = self.count + other.count
        share, rest = self.count / count, other.count / count
        x, y = self.mean_x - other.mean_x, self.mean_y - other.mean_y
        between = share * rest
        return Regression(
            count=count,
            gram=share * self.gram
            + rest * other.gram
            + between * x[:, :, np.newaxis] * x[:, np.newaxis],
            cross=share * self.cross
            + rest * other.cross
            + between * x[:, :, np.newaxis] * y[:, np.newaxis],
            power=share * self.power + rest * other.power + between * np.square(y),
            mean_x=share * self.mean_x + rest * other.mean_x,
            mean_y=share * self.mean_y + rest * other.mean_y,
        )


class Moments:
    """Adds up the moments of inputs, and of the outputs of several readers of them.

    Values are counted from the mean of the first batch, so that little is lost where a
    mean is large. Products of a batch have its own precision, unless they overflow;
    their sums have 64 bits.

    Args:
      readers: how many there are.
    """

    def __init__(self, readers: int):
        self._count = 0
        self._shifts: Optional[List[np.ndarray]] = None
        self._gram = np.zeros(())
        self._sum = np.zeros(())
        self._readers = [_Reader() for _ in range(readers)]

    @property
    def count(self) -> int:
        """Number of rows so far."""
        return self._count

    def add(self, x: np.ndarray, ys: Sequence[np.ndarray]) -> None:
        """Adds rows.

        Args:
          x: `[systems, rows, inputs]`.
          ys: of each reader `[systems, rows, outputs]`.
        """
        if self._shifts is None:
            self._shifts = [each.mean(axis=1, keepdims=True) for each in (x, *ys)]
        x = x - self._shifts[0]
        turned = np.swapaxes(x, 1, 2)
        self._gram = self._gram + _wide(np.matmul, turned, x)
        self._sum = self._sum + x.sum(axis=1, dtype=np.float64)
        self._count += x.shape[1]
        for reader, y, shift in zip(self._readers, ys, self._shifts[1:]):
            reader.add(turned, y - shift)

    def of(self, reader: int) -> Moments:
        """The moments of one reader; the matrix of the inputs is not copied."""
        assert self._shifts is not None, 'rows were added'
        found = copy.copy(self)
        found._shifts = [self._shifts[0], self._shifts[1 + reader]]
        found._readers = [self._readers[reader]]
        return found

    def with_outputs(self, batches: Iterable[Tuple[np.ndarray, np.ndarray]]) -> Moments:
        """The moments of the same rows of one reader, which makes other outputs.

        Args:
          batches: `[systems, rows, inputs]` as they were added, and
            `[systems, rows, outputs]`.
        """
        assert self._shifts is not None, 'rows were added'
        found = copy.copy(self)
        found._readers = [_Reader()]
        shift_y: Optional[np.ndarray] = None
        for x, y in batches:
            if shift_y is None:
                shift_y = y.mean(axis=1, keepdims=True)
                found._shifts = [self._shifts[0], shift_y]
            turned = np.swapaxes(x - self._shifts[0], 1, 2)
            found._readers[0].add(turned, y - shift_y)
        return found

    def part(
        self, systems: np.ndarray, inputs: np.ndarray, outputs: np.ndarray
    ) -> Moments:
        """The moments of some systems, and of some of their inputs and outputs.

        Args:
          systems: numbers of the systems.
          inputs: numbers of the inputs, of each of these.
          outputs: numbers of the outputs, of each reader.
        """
        assert self._shifts is not None, 'rows were added'
        x, y = np.ix_(systems, inputs), np.ix_(systems, outputs)
        found = Moments(0)
        found._count = self._count
        wanted = [inputs, *[outputs for _ in self._readers]]
        found._shifts = [
            shift[np.ix_(systems, [0], each)]
            for shift, each in zip(self._shifts, wanted)
        ]
        found._gram = self._gram[np.ix_(systems, inputs, inputs)]
        found._sum = self._sum[x]
        found._readers = [
            _Reader(
                each.cross[np.ix_(systems, inputs, outputs)], each.sum[y], each.power[y]
            )
            for each in self._readers
        ]
        return found

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> None:
        """Keeps its matrices elsewhere; no rows are added any more.

        Args:
          move: array -> an equal one, which is only read.
        """
        self._gram = move(self._gram)
        for reader in self._readers:
            reader.cross = move(reader.cross)

    def regression(self, reader: int) -> Regression:
        """The moments of one reader; there must be rows."""
        assert self._shifts is not None, 'rows were added'
        shift_x, shift_y = self._shifts[0][:, 0], self._shifts[1 + reader][:, 0]
        x, sums = self._sum / self._count, self._readers[reader]
        y = sums.sum / self._count
        return Regression(
            count=self._count,
            gram=self._gram / self._count - x[:, :, np.newaxis] * x[:, np.newaxis],
            cross=sums.cross / self._count - x[:, :, np.newaxis] * y[:, np.newaxis],
            power=np.maximum(sums.power / self._count - np.square(y), 0),
            mean_x=x + shift_x,
            mean_y=y + shift_y,
        )


class _Reader:
    """Sums over the outputs of one reader."""

    def __init__(
        self,
        cross: np.ndarray = _NOTHING,
        total: np.ndarray = _NOTHING,
        power: np.ndarray = _NOTHING,
    ):
        self.cross, self.sum, self.power = cross, total, power

    def add(self, turned: np.ndarray, y: np.ndarray) -> None:
        self.cross = self.cross + _wide(np.matmul, turned, y)
        self.sum = self.sum + y.sum(axis=1, dtype=np.float64)
        self.power = self.power + _wide(_power, y)


def _wide(compute: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """What is computed of arrays; in 64 bits where their precision overflows."""
    with np.errstate(over='ignore', invalid='ignore'):
        found = compute(*arrays).astype(np.float64)
        if np.isfinite(found.sum()):
            return found
    return compute(*(array.astype(np.float64) for array in arrays))


def _power(y: np.ndarray) -> np.ndarray:
    return np.square(y).sum(axis=1, dtype=np.float64)
