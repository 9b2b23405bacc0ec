"""Removed channels as sums of those that stay: for layers with too many unknowns.

Where a layer has more weights than there are rows, or than memory has room for, its
input channels are fitted instead: `x ~ B^T x_kept + b` over all pixels, and the layer
takes `B` up, tap by tap. That is exact for layers without padded borders, and needs a
matrix of `[channels, channels]` only.
"""

from __future__ import annotations

from typing import Dict, Optional

import numpy as np

from tf1pruning.algebra import least_squares
from tf1pruning.algebra.least_squares import Equations, Fit
from tf1pruning.algebra.moments import Moments
from tf1pruning.recovery import geometry
from tf1pruning.recovery.layers import Form, Layer


def rows(images: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """`[1, rows, channels]` of images: each position of a channel gives a row.

    Args:
      images: `[examples, pixels, positions of all channels]`.
      entries: `[channels, positions]`, see `Layer`.
    """
    return images[:, :, entries.T].reshape(1, -1, len(entries))


class ChannelRegression:
    """The moments of the channels that a layer reads.

    Args:
      layer: the layer; it has `entries`.
      form: its kernel, of one system.
      pixels: the most pixels of an example to look at.
    """

    def __init__(self, layer: Layer, form: Form, pixels: int):
        assert layer.entries is not None, 'each channel has as many positions'
        self._form, self._pixels = form, pixels
        self._entries = layer.entries
        is_kept = np.isin(self._entries[:, 0], layer.kept_in)
        self._kept = np.flatnonzero(is_kept)
        self._kept_in = layer.kept_in
        self._moments: Dict[bool, Moments] = {False: Moments(1), True: Moments(1)}
        self._fit: Optional[Fit] = None

    def part(self, layer: Layer, form: Form) -> ChannelRegression:
        """The regression of the same layer with fewer channels; nothing is gone here.

        Args:
          layer: with fewer channels.
          form: its kernel.
        """
        found = ChannelRegression(layer, form, self._pixels)
        rows = np.zeros(1, np.int64), found._kept, self._kept
        found._moments = {
            held: moments.part(*rows) for held, moments in self._moments.items()
        }
        return found

    def add(
        self,
        pruned: np.ndarray,
        original: np.ndarray,
        chooses: bool,
        generator: np.random.RandomState,
    ) -> None:
        """Adds the pixels of a batch, or some of them.

        Args:
          pruned: `[examples, pixels, in]` what the layer reads in the pruned network.
          original: the same in the unpruned one.
          chooses: whether they are for choosing.
          generator: draws the pixels.
        """
        pixels = geometry.some_pixels(original.shape[1], self._pixels, generator)
        x, y = (rows(each[:, pixels], self._entries) for each in (pruned, original))
        self._moments[chooses].add(x[..., self._kept], [y])

    def fit(self) -> Fit:
        """`[1, kept, channels]` the channels by those that stay, chosen on others."""
        if self._fit is None:
            prior = np.eye(len(self._entries))[self._kept][np.newaxis]
            fitted, choose = (
                [Equations(self._moments[held].regression(0), True)]
                for held in (False, True)
            )
            self._fit = least_squares.fit(fitted, choose, prior)
        return self._fit

    def weights(self, kernel: np.ndarray) -> np.ndarray:
        """`[1, taps * in, out]` what stays of a kernel, with what the others did.

        Args:
          kernel: of the unpruned network.
        """
        by_channel = self._by_channel(kernel)
        mixed = np.einsum('kc,tcjo->tkjo', self.fit().weights[0], by_channel)
        taps, _, _, made = mixed.shape
        found = np.empty([taps, len(self._kept_in), made])
        positions = np.searchsorted(self._kept_in, self._entries[self._kept])
        found[:, positions.ravel()] = mixed.reshape(taps, -1, made)
        return found.reshape(1, -1, made)

    def intercept(self, kernel: np.ndarray) -> np.ndarray:
        """`[1, out]` what a layer adds to its bias; right inside of padded borders."""
        shares = self.fit().intercepts[0][0]
        return np.einsum('c,tcjo->o', shares, self._by_channel(kernel))[np.newaxis]

    def _by_channel(self, kernel: np.ndarray) -> np.ndarray:
        """`[taps, channels, positions, out]` a kernel with all its inputs."""
        whole = self._form.whole(kernel)[0].astype(np.float64)
        by_position = whole.reshape(-1, self._entries.size, whole.shape[-1])
        found: np.ndarray = by_position[:, self._entries]
        return found
