"""Readings: layers that read equal rows, and the moments of what they read and make."""

from __future__ import annotations

import math
from typing import Mapping, NamedTuple

import numpy as np

from tf1pruning.algebra.least_squares import Target
from tf1pruning.algebra.moments import Moments
from tf1pruning.names import TensorRef
from tf1pruning.recovery import geometry
from tf1pruning.recovery.layers import Form, Layer

# Rows of a regression: so many for each unknown, and at least so many.
_ROWS_PER_UNKNOWN = 20
_FEWEST_ROWS = 1 << 16
# Rows on which a layer is checked, and the share of the largest value that it may be
# off: sums of thousands of products in 32 bits.
_CHECKED_ROWS = 256
_ROUNDING = 1e-3

Values = Mapping[TensorRef, np.ndarray]


class Sizes(NamedTuple):
    """How many unknowns a layer has: what a Gram matrix of it takes.

    Attributes:
      systems: number of independent regressions.
      unknowns: inputs of each.
    """

    systems: int
    unknowns: int

    @property
    def entries(self) -> int:
        """Entries of the Gram matrices."""
        return self.systems * self.unknowns**2


class Reading:
    """One layer: the rows that it reads in the pruned network, and what it should make.

    Args:
      layer: the layer.
      x: the tensor that it reads in the pruned network.
      kernel: its weights, of the unpruned network.
      values: of the first batch.
      batches: how many batches there are to fit.

    Attributes:
      form: its kernel as the weights of a regression.
    """

    def __init__(
        self,
        layer: Layer,
        x: TensorRef,
        kernel: np.ndarray,
        values: Values,
        batches: int,
    ):
        self.layer, self._x = layer, x
        images = layer.images(values[layer.x])
        self.form = Form(layer, kernel, images.shape[-1])
        self._table = layer.table(values[layer.x], values[layer.y], kernel)
        wanted = max(_ROWS_PER_UNKNOWN * (self.sizes.unknowns + 1), _FEWEST_ROWS)
        per_batch = math.ceil(wanted / batches)
        self._pixels = min(math.ceil(per_batch / len(images)), len(self._table))
        self._moments = {False: Moments(1), True: Moments(1)}

    @property
    def sizes(self) -> Sizes:
        """Of its regression."""
        form = self.form
        channels = len(form.x_channels) // form.systems
        return Sizes(form.systems, self._table.shape[1] * channels)

    def is_understood(self, kernel: np.ndarray, values: Values) -> bool:
        """Whether its rows and its kernel give what it makes in the unpruned network.

        Args:
          kernel: its weights there.
          values: of the first batch.
        """
        form = self.form
        x = self.layer.images(values[self.layer.x])
        y = self.layer.images(values[self.layer.y])
        fits = len(x) == len(y) and y.shape[1] == len(self._table)
        if not fits or self._table.max() >= x.shape[1]:
            return False
        count = max(1, _CHECKED_ROWS // len(x))
        pixels = np.unique(np.linspace(0, len(self._table) - 1, count).astype(int))
        rows = geometry.rows(x, self._table[pixels], form.all_x_channels, form.systems)
        found = np.matmul(rows, form.whole(kernel))
        made = geometry.made(y, pixels, form.y_channels, form.systems)
        limit = _ROUNDING * np.abs(made).max(initial=0)
        return bool(np.abs(found - made).max(initial=0) <= limit)

    def add(
        self,
        values: Values,
        is_held_out: bool,
        generator: np.random.RandomState,
    ) -> None:
        """Adds the rows of a batch, those of some of its pixels if it has many."""
        pixels = np.arange(len(self._table))
        if self._pixels < len(pixels):
            pixels = np.sort(generator.choice(pixels, self._pixels, replace=False))
        form = self.form
        x = self.layer.images(values[self._x])
        y = self.layer.images(values[self.layer.y])
        rows = geometry.rows(x, self._table[pixels], form.x_channels, form.systems)
        made = geometry.made(y, pixels, form.y_channels, form.systems)
        self._moments[is_held_out].add(rows, [made])

    def target(self, is_held_out: bool) -> Target:
        """What its weights are solved for, or judged by."""
        has_intercept = self.layer.target is not None
        return Target(self._moments[is_held_out].regression(0), has_intercept)
