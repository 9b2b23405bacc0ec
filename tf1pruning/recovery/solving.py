"""Weights of a layer, and of what is behind it, that fit what was read."""

from __future__ import annotations

from typing import Callable, Dict, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from tf1pruning.algebra import least_squares
from tf1pruning.algebra.least_squares import Fit
from tf1pruning.recovery.carriers import Carriers
from tf1pruning.recovery.readings import Reading

LEAST_SQUARES, CHANNELS = 'least squares', 'channels'


class Solved(NamedTuple):
    """A kernel that was solved for.

    Attributes:
      method: 'least squares' or 'channels'.
      fit: its weights, and whether they help.
      arrays: weight node -> array, of the kernel and what is behind its layers; none if
        the weights do not help.
    """

    method: str
    fit: Fit
    arrays: Dict[str, np.ndarray]


def solve(
    readings: Sequence[Reading],
    array: Callable[[str], np.ndarray],
    carriers: Mapping[str, Carriers],
) -> Solved:
    """Finds the weights of a kernel, and takes up their intercepts.

    Args:
      readings: of all layers that share the kernel.
      array: weight node -> its array in the pruned network.
      carriers: of computed kernels.
    """
    source, form = readings[0].layer.kernel.source, readings[0].form
    kernel = array(source)
    method, found = _best(readings, form.weights(kernel))
    if source in carriers:
        wanted = form.with_weights(kernel, found.weights)
        carried = carriers[source].attainable(wanted, kernel)
        found = _attained(readings, form.weights(carried), form.weights(kernel))
    if not found.helps:
        return Solved(method, found, {})
    new = {source: form.with_weights(kernel, found.weights)}
    for reading, intercept in zip(readings, found.intercepts):
        target = reading.layer.target
        if target is not None:
            vector = array(target.source)
            share = np.zeros(vector.shape)
            share[reading.form.y_channels] = intercept.ravel()
            new[target.source] = target.added(vector, share)
    return Solved(method, found, new)


def _attained(
    readings: Sequence[Reading], weights: np.ndarray, prior: np.ndarray
) -> Fit:
    """Weights that are given."""
    fitted, choose = (
        [reading.equations(held) for reading in readings] for held in (False, True)
    )
    return least_squares.judged(fitted, choose, weights, prior, 0.0)


def _best(readings: Sequence[Reading], prior: np.ndarray) -> Tuple[str, Fit]:
    """How the samples that choose are fitted best, and the weights."""
    found: Dict[str, Fit] = {}
    if all(reading.is_whole for reading in readings):
        fitted, choose = (
            [reading.equations(held) for reading in readings] for held in (False, True)
        )
        found[LEAST_SQUARES] = least_squares.fit(fitted, choose, prior)
    by_channels = readings[0].by_channels() if len(readings) == 1 else None
    if by_channels is not None:
        found[CHANNELS] = by_channels
    method = min(found, key=lambda each: found[each].error)
    return method, found[method]
