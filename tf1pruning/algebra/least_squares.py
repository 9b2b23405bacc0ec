"""Ridge regression from moments: `y ~ W^T x + b`, with `W` drawn to a prior.

    min ||y - W^T x - b||^2 + r ||W - P||^2   gives   (G + r I) W = C + r P

with the covariances `G` of x and `C` of x and y. A singular `G`, of inputs that are
constant or depend on each other, does no harm: there the prior stays.
"""

from __future__ import annotations

import dataclasses
from typing import Optional, Sequence, Tuple

import numpy as np

from tf1pruning.algebra.moments import Regression

# Shares of the mean variance of an input: the usual one, and others in the order in
# which they are tried, for few rows or inputs that hardly differ.
RIDGE = 1e-3
_LADDERS = ((1e-2, 1e-1, 1.0), (1e-4, 1e-5))


@dataclasses.dataclass(frozen=True, eq=False)
class Equations:
    """What weights are solved for.

    Attributes:
      moments: of the rows.
      has_intercept: whether a vector takes up the intercept.
      worth: `[systems, outputs]` factors of squared errors where they are judged; None:
        all outputs are worth as much.
    """

    moments: Regression
    has_intercept: bool
    worth: Optional[np.ndarray] = None

    def joined(self, other: Equations) -> Equations:
        """The equations with the rows of both."""
        return dataclasses.replace(self, moments=self.moments.joined(other.moments))

    @property
    def counted(self) -> Regression:
        """The moments about the means; about zero where there is no intercept."""
        return self.moments if self.has_intercept else self.moments.about_zero()

    def intercept(self, weights: np.ndarray) -> np.ndarray:
        """`[systems, outputs]` that goes with weights; zeros if there is none."""
        if not self.has_intercept:
            return np.zeros_like(self.moments.mean_y)
        inner = np.einsum('sio,si->so', weights, self.moments.mean_x)
        found: np.ndarray = self.moments.mean_y - inner
        return found

    def error(self, weights: np.ndarray, intercept: np.ndarray) -> float:
        """Mean squared error of weights on these rows, summed by worth of outputs."""
        m = self.moments
        inner = np.einsum('sio,si->so', weights, m.mean_x)
        squares = (
            m.power
            - 2 * (weights * m.cross).sum(axis=1)
            + (weights * np.matmul(m.gram, weights)).sum(axis=1)
            + np.square(m.mean_y - inner - intercept)
        )
        return self._summed(np.maximum(squares, 0))

    @property
    def power(self) -> float:
        """The error of zeros, or of the mean if there is an intercept."""
        return self._summed(self.counted.power)

    def _summed(self, squares: np.ndarray) -> float:
        return float((squares if self.worth is None else squares * self.worth).sum())


def solve(
    equations: Sequence[Equations], prior: np.ndarray, ridge: float
) -> np.ndarray:
    """The weights that fit all equations, each with an intercept of its own.

    Args:
      equations: of layers that share the weights.
      prior: `[systems, inputs, outputs]`.
      ridge: share of the mean variance of the inputs of a system, above 0.

    Returns:
      `[systems, inputs, outputs]`, 64-bit floats.
    """
    gram, cross = _summed(equations)
    mean = np.trace(gram, axis1=1, axis2=2) / gram.shape[1]
    # Inputs that are always zero keep the prior.
    r = np.where(mean > 0, ridge * mean, 1.0)[:, np.newaxis, np.newaxis]
    diagonal = np.arange(gram.shape[1])
    gram[:, diagonal, diagonal] += r[:, :, 0]
    found: np.ndarray = np.linalg.solve(gram, cross + r * prior)
    return found


def _summed(equations: Sequence[Equations]) -> Tuple[np.ndarray, np.ndarray]:
    """The moments of all equations, by their shares of the rows; new arrays."""
    total = sum(each.moments.count for each in equations)
    gram, cross = 0.0, 0.0
    for each in equations:
        share, counted = each.moments.count / total, each.counted
        gram = gram + share * counted.gram
        cross = cross + share * counted.cross
    return np.asarray(gram), np.asarray(cross)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """Weights that were chosen on held-out rows.

    Attributes:
      weights: `[systems, inputs, outputs]`.
      intercepts: of each of them `[systems, outputs]`.
      ridge: that they have.
      error: share of the variance of the held-out outputs that is left.
      prior_error: the same, of the prior without a change.
    """

    weights: np.ndarray
    intercepts: Tuple[np.ndarray, ...]
    ridge: float
    error: float
    prior_error: float

    @property
    def helps(self) -> bool:
        """Whether the weights fit held-out rows better than the prior does."""
        return self.error < self.prior_error


def fit(
    equations: Sequence[Equations], held_out: Sequence[Equations], prior: np.ndarray
) -> Fit:
    """The weights of the ridge that fits held-out rows best.

    Once it is chosen, all rows are fitted.

    Args:
      equations: as for `solve`.
      held_out: the same layers on other rows.
      prior: the weights as they are.
    """

    def at(ridge: float) -> Fit:
        weights = solve(equations, prior, ridge)
        return judged(equations, held_out, weights, prior, ridge)

    best = at(RIDGE)
    for ladder in _LADDERS:
        for ridge in ladder:
            found = at(ridge)
            if found.error >= best.error:
                break
            best = found
    if not best.helps:
        return best
    together = [a.joined(b) for a, b in zip(equations, held_out)]
    weights = solve(together, prior, best.ridge)
    intercepts = tuple(each.intercept(weights) for each in together)
    return dataclasses.replace(best, weights=weights, intercepts=intercepts)


def judged(
    equations: Sequence[Equations],
    held_out: Sequence[Equations],
    weights: np.ndarray,
    prior: np.ndarray,
    ridge: float,
) -> Fit:
    """Weights with the intercepts of some rows, judged on others.

    Args:
      equations: rows for the intercepts.
      held_out: rows to judge on.
      weights: `[systems, inputs, outputs]`.
      prior: the weights as they were.
      ridge: by which the weights were found.
    """
    power = sum(each.power for each in held_out) or 1.0
    zeros = [np.zeros_like(each.moments.mean_y) for each in equations]
    intercepts = tuple(each.intercept(weights) for each in equations)
    return Fit(
        weights,
        intercepts,
        ridge,
        _error(held_out, weights, intercepts) / power,
        _error(held_out, prior, zeros) / power,
    )


def _error(
    equations: Sequence[Equations],
    weights: np.ndarray,
    intercepts: Sequence[np.ndarray],
) -> float:
    return sum(t.error(weights, b) for t, b in zip(equations, intercepts))
