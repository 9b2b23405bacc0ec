"""Criteria that look at the weights alone."""

from __future__ import annotations

import numpy as np

from tf1pruning.criteria import registry


def rows(kernel: np.ndarray, axis: int) -> np.ndarray:
    """A kernel as `[size of axis, everything else]`, in double precision."""
    moved = np.moveaxis(kernel, axis, 0).astype(np.float64)
    return moved.reshape(kernel.shape[axis], -1)


def _sums(values: np.ndarray, axis: int) -> np.ndarray:
    """`[size of axis]` sums over all other axes, in double precision."""
    others = tuple(other for other in range(values.ndim) if other != axis)
    return values.sum(axis=others, dtype=np.float64)


def _square_sums(kernel: np.ndarray, axis: int) -> np.ndarray:
    # A square of 16 bits may be infinite.
    wide = np.result_type(kernel, np.float32)
    return _sums(np.square(kernel, dtype=wide), axis)


@registry.register('sparsity', is_share=True)
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
    magnitudes = np.abs(rows(kernel, axis))
    return (magnitudes < magnitudes.mean()).mean(axis=1)


def l1(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Sum of magnitudes of each filter (Li et al., arXiv 1608.08710).

    >>> l1(np.array([[1.0, 0.0], [-3.0, 0.0]]), axis=1).tolist()
    [4.0, 0.0]
    """
    return _sums(np.abs(kernel), axis)


@registry.register('l1')
def small_l1(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Negative L1 norm (Li et al., arXiv 1608.08710): small filters go."""
    return -l1(kernel, axis)


@registry.register('l2')
def small_l2(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Negative L2 norm (He et al., arXiv 1808.06866): small filters go.

    >>> small_l2(np.array([[3.0, 0.0], [-4.0, 1.0]]), axis=1).tolist()
    [-5.0, -1.0]
    """
    return -np.sqrt(_square_sums(kernel, axis))


@registry.register('mean_square')
def small_mean_square(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Negative mean square of each filter's weights: small filters go.

    The weight criterion of Molchanov et al. (arXiv 1611.06440, section 2.2):

        S(n) = -(sum of w^2 over filter n) / #{w in filter n}

    >>> small_mean_square(np.array([[3.0, 0.0], [-4.0, 1.0]]), axis=1).tolist()
    [-12.5, -0.5]
    """
    return -_square_sums(kernel, axis) * kernel.shape[axis] / kernel.size


@registry.register('lamp')
def small_lamp(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Negative LAMP score, for whole filters (Lee et al., arXiv 2010.07611, eq. 4).

    With the filters in ascending order of n(f) = ||w_f||_2^2:

        S(f) = -n(f) / (sum of n(g) over the filters g from f on)

    The largest filter of every layer scores -1, so that a ranking over all layers
    empties none. A layer of zeros scores 0.

    >>> small_lamp(np.array([[1.0, 2.0, 0.0]]), axis=1).tolist()
    [-0.2, -1.0, -0.0]
    """
    norms = _square_sums(kernel, axis)
    order = np.argsort(norms, kind='stable')
    tails = np.cumsum(norms[order][::-1])[::-1]
    scores = np.zeros_like(norms)
    scores[order] = -norms[order] / np.where(tails == 0, 1, tails)
    return scores


@registry.register('bn_scale', of_scales=True)
def small_scale(gamma: np.ndarray, axis: int) -> np.ndarray:
    """Negative magnitude of the batch-norm scale (Liu et al., arXiv 1708.06519)."""
    return small_l1(gamma, axis)


@registry.register('random', seeded=True)
def random_scores(
    kernel: np.ndarray, axis: int, generator: np.random.RandomState
) -> np.ndarray:
    """Random scores: what a criterion has to beat."""
    return generator.uniform(size=kernel.shape[axis])
