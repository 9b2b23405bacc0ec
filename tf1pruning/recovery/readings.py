"""Readings: which rows a layer reads, their moments, and what it should make."""

from __future__ import annotations

import copy
import math
from typing import Callable, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from tf1pruning.algebra.least_squares import Equations, Fit
from tf1pruning.algebra.moments import Moments
from tf1pruning.names import TensorRef
from tf1pruning.recovery import geometry
from tf1pruning.recovery.channel_regression import ChannelRegression
from tf1pruning.recovery.goals import Goal, Made, SoFar
from tf1pruning.recovery.layers import Form, Layer

# Rows of a regression: at least so many for each unknown, and at least so many; but of
# few unknowns no more than so many for each.
_ROWS_PER_UNKNOWN = 20
_FEWEST_ROWS = 1 << 16
_MOST_PER_UNKNOWN = 1000
# A Gram matrix in 64 bits, in 32 bits for a batch, and the copies that solving makes.
BYTES_PER_ENTRY = 28
# Rows on which a layer is checked, and the share of the largest value that it may be
# off: sums of thousands of products in 32 bits.
_CHECKED_ROWS = 256
_ROUNDING = 1e-3

Values = Mapping[TensorRef, np.ndarray]
# Rows of a layer, batch by batch: what it reads, and what it should make.
KeptRows = Callable[[bool], Iterator[Tuple[np.ndarray, Made]]]


class Reading:
    """One layer: the rows that it reads in the pruned network, and what it should make.

    Args:
      layer: the layer.
      x: the tensor that it reads in the pruned network.
      kernel: its weights, of the unpruned network.
      values: of the first batch.
      batches: how many batches there are to fit.
      memory: bytes that its moments may take.

    Attributes:
      layer: the layer.
      form: its kernel as the weights of a regression.
      outputs: how many pixels it makes of an image.
      pixels: how many of them are looked at.
      is_whole: whether its weights are solved for.
      channels: a regression of its channels, where rows are few or weights many.
      goal: what it should make; None: what it made in the unpruned network.
    """

    def __init__(
        self,
        layer: Layer,
        x: TensorRef,
        kernel: np.ndarray,
        values: Values,
        batches: int,
        memory: int,
    ):
        self.layer, self._x, self._kernel = layer, x, kernel
        images = layer.images(values[layer.x])
        self.form = form = Form(layer, kernel, images.shape[-1])
        self._table = layer.table(values[layer.x], values[layer.y], kernel)
        unknowns = self._table.shape[1] * len(form.x_channels) // form.systems
        self.bytes = BYTES_PER_ENTRY * form.systems * unknowns**2
        self.is_whole = self.bytes <= memory
        self.outputs = len(self._table)
        fewest = min(_FEWEST_ROWS, _MOST_PER_UNKNOWN * unknowns)
        wanted = max(_ROWS_PER_UNKNOWN * (unknowns + 1), fewest)
        per_image = math.ceil(wanted / (batches * len(images)))
        self.pixels = min(per_image, self.outputs)
        self._moments: Mapping[bool, Moments] = {}
        self._kept: Optional[KeptRows] = None
        rows = batches * len(images) * self.pixels
        is_short = rows < _ROWS_PER_UNKNOWN * unknowns or not self.is_whole
        self.channels: Optional[ChannelRegression] = None
        if is_short and form.systems == 1 and layer.entries is not None:
            pixels = math.ceil(_FEWEST_ROWS / (batches * len(images)))
            self.channels = ChannelRegression(layer, form, pixels)
        self.goal: Optional[Goal] = None
        self._so_far: Optional[SoFar] = None

    def is_understood(self, values: Values) -> bool:
        """Whether its rows and its kernel give what it makes in the unpruned network.

        Args:
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
        found = np.matmul(rows, form.whole(self._kernel))
        made = geometry.made(y, pixels, form.y_channels, form.systems)
        limit = _ROUNDING * np.abs(made).max(initial=0)
        return bool(np.abs(found - made).max(initial=0) <= limit)

    @property
    def key(self) -> Tuple[object, ...]:
        """What is equal of layers that read the same rows."""
        form = self.form
        channels = form.x_channels.tobytes()
        return self._x, self._table.tobytes(), channels, form.systems, self.pixels

    @property
    def refs(self) -> List[TensorRef]:
        """The tensors of which it takes rows."""
        original = [self.layer.x] if self.channels is not None else []
        made = [self.layer.y] if self.goal is None else self.goal.refs
        return [self._x, *made, *original]

    @property
    def is_refined(self) -> bool:
        """Whether a ReLU behind it cuts off a part of what it makes."""
        return self.goal is not None and self.goal.most is not None

    def rows(self, values: Values, pixels: np.ndarray) -> np.ndarray:
        """`[systems, rows, inputs]` what it reads of a batch at some output pixels."""
        form, x = self.form, self.layer.images(values[self._x])
        return geometry.rows(x, self._table[pixels], form.x_channels, form.systems)

    def made(self, values: Values, pixels: np.ndarray) -> Made:
        """What it should make there."""
        form = self.form

        def rows(ref: TensorRef) -> np.ndarray:
            images = self.layer.images(values[ref])
            return geometry.made(images, pixels, form.y_channels, form.systems)

        if self.goal is None:
            return Made(rows(self.layer.y))
        return self.goal.made(rows)

    def take(
        self, moments: Mapping[bool, Moments], kept: Optional[KeptRows] = None
    ) -> None:
        """Takes the moments of its rows.

        Args:
          moments: of the rows to fit, and of those that choose.
          kept: these rows, batch by batch; None: they were not kept.
        """
        self._moments, self._kept = moments, kept

    def add_channels(
        self, values: Values, chooses: bool, generator: np.random.RandomState
    ) -> None:
        """Adds the pixels of a batch to the regression of its channels, if any."""
        if self.channels is not None:
            pruned, original = values[self._x], values[self.layer.x]
            images = self.layer.images(pruned), self.layer.images(original)
            self.channels.add(*images, chooses, generator)

    def refined(self, weights: np.ndarray, intercept: np.ndarray) -> Optional[Reading]:
        """The same, asked only for what the ReLU behind it does not cut off.

        Args:
          weights: `[systems, inputs, outputs]` that the layer has.
          intercept: `[systems, outputs]` that was added to those taken up so far.

        Returns:
          None where nothing is cut off, or the rows were not kept.
        """
        if not self.is_refined or self.goal is None or self._kept is None:
            return None
        taken = intercept[:, np.newaxis]
        if self._so_far is not None:
            taken = taken + self._so_far.intercept
        kinds = (each.astype(np.float32) for each in (weights, taken))
        so_far, kept = SoFar(self.goal, *kinds), self._kept
        found = copy.copy(self)
        found.channels, found._so_far = None, so_far
        found._moments = {
            held: moments.with_outputs((x, so_far.wanted(x, y)) for x, y in kept(held))
            for held, moments in self._moments.items()
        }
        return found

    def part(self, layer: Layer) -> Reading:
        """What is read of the same layer with fewer channels; nothing is gone here.

        Args:
          layer: with fewer channels.
        """
        found = copy.copy(self)
        found.layer = layer
        found.form = Form(layer, self._kernel, len(self.form.x_channels))
        if self.is_whole:
            rows = found.form.rows
            found._moments = {
                held: moments.part(*rows) for held, moments in self._moments.items()
            }
        if self.channels is not None:
            found.channels = self.channels.part(layer, found.form)
        return found

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> None:
        """Keeps its matrices elsewhere, see `Moments.moved`."""
        if self.is_whole:
            for moments in self._moments.values():
                moments.moved(move)

    def equations(self, chooses: bool) -> Equations:
        """What its weights are solved for, or judged by."""
        has_intercept = self.layer.target is not None
        worth = None if self.goal is None else self.goal.worth
        return Equations(self._moments[chooses].regression(0), has_intercept, worth)

    def by_channels(self) -> Optional[Fit]:
        """Its weights by the regression of its channels, and how well they do.

        Where its own weights are not solved for, the errors are those of the channels.
        """
        if self.channels is None:
            return None
        found = self.channels.fit()
        weights = self.channels.weights(self._kernel)
        intercept = self.channels.intercept(self._kernel)
        if self.layer.target is None:
            intercept = np.zeros_like(intercept)
        error, before = found.error, found.prior_error
        if self.is_whole:
            choose, prior = self.equations(True), self.form.weights(self._kernel)
            power = choose.power or 1.0
            error = choose.error(weights, intercept) / power
            before = choose.error(prior, np.zeros_like(intercept)) / power
        return Fit(weights, (intercept,), found.ridge, error, before)
