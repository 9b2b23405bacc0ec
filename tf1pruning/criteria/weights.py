"""Criteria that look at the weights alone."""

from __future__ import annotations

import numpy as np


def _rows(kernel: np.ndarray, axis: int) -> np.ndarray:
    """`[size of axis, everything else]` magnitudes in double precision."""
    magnitude = np.abs(np.moveaxis(kernel, axis, 0), dtype=np.float64)
    return magnitude.reshape(kernel.shape[axis], -1)


def sparsity(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Share of a filter's weights that lie below the layer's mean magnitude.

    Liu et al., "Computation-Performance Optimization of Convolutional Neural Networks
    with Redundant Kernel Removal" (arXiv 1705.10748):

        M = mean |w| over the layer
        S(n) = #{w in filter n: |w| < M} / #{w in filter n}

    Every weight of the kernel counts. A filter of zeros scores 1.

    Args:
      kernel: array of any rank, e.g. `[kh, kw, c_in, c_out]`.
      axis: the axis of the filters.

    Returns:
      `[size of axis]` values in [0, 1]; the larger, the more redundant.

    >>> sparsity(np.array([[1.0, 0.0], [3.0, 0.0]]), axis=1).tolist()
    [0.0, 1.0]
    """
    rows = _rows(kernel, axis)
    return (rows < rows.mean()).mean(axis=1)


def l1(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Sum of magnitudes of each filter (Li et al., arXiv 1608.08710).

    >>> l1(np.array([[1.0, 0.0], [-3.0, 0.0]]), axis=1).tolist()
    [4.0, 0.0]
    """
    return _rows(kernel, axis).sum(axis=1)
