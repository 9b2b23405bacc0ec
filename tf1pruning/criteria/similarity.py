"""Criteria that compare the filters of a layer with each other."""

from __future__ import annotations

from typing import List

import numpy as np

from tf1pruning.criteria import registry
from tf1pruning.criteria.weights import rows

_MAX_ROUNDS = 100


@registry.register('geometric_median')
def near_geometric_median(kernel: np.ndarray, axis: int) -> np.ndarray:
    """Negative sum of the distances to all filters of the layer: central filters go.

    Filter pruning via geometric median (He et al., arXiv 1811.00250, eqs. 6 and 7):

        g(f) = sum of ||w_f - w_h||_2 over the filters h;  S(f) = -g(f)

    A filter that lies near the geometric median can be replaced by the others.

    >>> near_geometric_median(np.array([[0.0, 1.0, 5.0]]), axis=1).tolist()
    [-6.0, -5.0, -9.0]
    """
    filters = rows(kernel, axis)
    return -np.array([np.sqrt(_squared_distances(filters, f)).sum() for f in filters])


@registry.register('kmeans', counted=True, seeded=True)
def far_from_centroids(
    kernel: np.ndarray, axis: int, kept: int, generator: np.random.RandomState
) -> np.ndarray:
    """1 for every filter that is not the nearest one to a centroid of its layer.

    The filters are clustered by k-means (Lloyd's algorithm, seeded as in k-means++,
    Arthur and Vassilvitskii 2007), with as many clusters as filters stay; the filter
    nearest to each centroid stays, as in
    github.com/gaborvecsei/Ridurre-Network-Filter-Pruning-Keras. Where two centroids
    have the same nearest filter, those that lie farthest from all that stay stay, too.
    Filters of zeros, which went in an earlier round, are left out if there are
    enough others.

    Args:
      kernel: array of any rank, e.g. `[kh, kw, c_in, c_out]`.
      axis: the axis of the filters.
      kept: number of filters that stay.
      generator: of the first centroids.

    Returns:
      `[size of axis]`: 0 for `kept` filters, 1 for the others.
    """
    filters = rows(kernel, axis)
    scores = np.ones(len(filters))
    alive = np.flatnonzero(filters.any(axis=1))
    if len(alive) < kept:
        alive = np.arange(len(filters))
    scores[alive[_representatives(filters[alive], kept, generator)]] = 0
    return scores


def _representatives(
    filters: np.ndarray, count: int, generator: np.random.RandomState
) -> List[int]:
    """`count` rows of `filters` `[n, d]`, the nearest to the centres of clusters."""
    centroids = _centroids(filters, count, generator)
    stay = {int(_squared_distances(filters, c).argmin()) for c in centroids}
    while len(stay) < count:
        nearest = np.min([_squared_distances(filters, filters[i]) for i in stay], 0)
        nearest[list(stay)] = -1
        stay.add(int(nearest.argmax()))
    return sorted(stay)


def _squared_distances(filters: np.ndarray, point: np.ndarray) -> np.ndarray:
    """`[n]` squared distances of the rows of `filters` `[n, d]` to a point `[d]`."""
    return np.square(filters - point).sum(axis=1)


def _centroids(
    filters: np.ndarray, count: int, generator: np.random.RandomState
) -> np.ndarray:
    """`[count, d]` centres of clusters; a cluster without filters keeps its centre."""
    centroids = _first_centroids(filters, count, generator)
    for _ in range(_MAX_ROUNDS):
        distances = np.stack([_squared_distances(filters, c) for c in centroids])
        members = distances.argmin(axis=0)
        moved = centroids.copy()
        for number in np.unique(members):
            moved[number] = filters[members == number].mean(axis=0)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def _first_centroids(
    filters: np.ndarray, count: int, generator: np.random.RandomState
) -> np.ndarray:
    """k-means++: each next one with a probability proportional to its distance^2."""
    chosen = [int(generator.randint(len(filters)))]
    nearest = _squared_distances(filters, filters[chosen[0]])
    while len(chosen) < count:
        total = nearest.sum()
        # All filters equal a chosen one: any of them will do.
        weights = nearest / total if total > 0 else None
        chosen.append(int(generator.choice(len(filters), p=weights)))
        distances = _squared_distances(filters, filters[chosen[-1]])
        nearest = np.minimum(nearest, distances)
    return filters[chosen]
