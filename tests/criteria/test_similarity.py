from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.criteria import registry, similarity

# Four filters of two weights: (0, 0), (3, 4), (0, 1), (6, 8).
FILTERS = np.array([[0.0, 3.0, 0.0, 6.0], [0.0, 4.0, 1.0, 8.0]])


def kmeans(kernel, kept, seed=0, axis=1):
    return registry.find('kmeans', seed).score(kernel, axis, kept)


def test_the_filter_nearest_to_all_others_is_the_most_redundant():
    scores = similarity.near_geometric_median(FILTERS, 1)

    # Distances 0-1: 5, 0-2: 1, 0-3: 10, 1-2: sqrt(18), 1-3: 5, 2-3: sqrt(85).
    expected = [16, 10 + 18**0.5, 1 + 18**0.5 + 85**0.5, 15 + 85**0.5]
    np.testing.assert_allclose(scores, -np.array(expected), rtol=1e-12)


def test_filters_are_compared_along_their_own_axis():
    kernel = FILTERS.T.reshape(4, 1, 2)

    scores = similarity.near_geometric_median(kernel, 0)

    expected = similarity.near_geometric_median(FILTERS, 1)
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize('seed', range(5))
def test_of_each_cluster_the_filter_nearest_to_its_centre_stays(seed):
    # Around 0 the centre is 0.5, and 0.4 is nearest; around 10 it is 10.2, and 10 is.
    kernel = np.array([[0.0, 10.0, 0.4, 11.0, 1.1, 9.6]])

    assert kmeans(kernel, 2, seed).tolist() == [1, 0, 0, 1, 1, 1]


def test_the_centre_is_the_mean_of_the_filters():
    kernel = np.array([[1.0, 1.1, 1.2, 1.3, 9.0]])

    assert kmeans(kernel, 1).tolist() == [1, 1, 1, 0, 1]


@pytest.mark.parametrize('seed', range(5))
def test_the_first_centres_lie_far_from_each_other(seed):
    # With all three among the first 20, the last two filters would share a cluster.
    kernel = np.array([[*np.linspace(1, 2, 20), 100.0, 110.0]])

    assert kmeans(kernel, 3, seed)[20:].tolist() == [0, 0]


def test_filters_without_a_twin_stay_where_clusters_share_their_nearest():
    kernel = np.array([[2.0, 2.0, 2.0, 7.0]])

    scores = kmeans(kernel, 3)

    assert sorted(scores[:3]) == [0, 0, 1]
    assert scores[3] == 0


@pytest.mark.parametrize('kept', [1, 2, 3, 4])
def test_exactly_as_many_stay_as_are_to_stay(kept):
    assert (kmeans(FILTERS, kept) == 0).sum() == kept
    assert (kmeans(np.zeros([2, 4]), kept) == 0).sum() == kept


def test_a_seed_makes_the_clusters_again():
    kernel = np.random.RandomState(0).normal(size=[3, 3, 4, 12])

    first = kmeans(kernel, 5, seed=1, axis=3)

    np.testing.assert_array_equal(kmeans(kernel, 5, seed=1, axis=3), first)


@pytest.mark.parametrize('seed', range(5))
def test_filters_that_are_gone_stand_for_no_cluster(seed):
    kernel = np.array([[0.0, 0.0, 1.0, 1.1, 5.0, 5.1]])

    scores = kmeans(kernel, 2, seed)

    assert scores[:2].tolist() == [1, 1]
    assert sorted([scores[2:4].sum(), scores[4:].sum()]) == [1, 1]


@pytest.mark.parametrize('seed', range(5))
def test_filters_of_zeros_go_where_just_enough_others_are_left(seed):
    kernel = np.array([[0.0, 0.0, 0.0, 1.0, 5.0, 5.1]])

    assert kmeans(kernel, 3, seed).tolist() == [1, 1, 1, 0, 0, 0]


def test_filters_of_zeros_stay_where_too_few_others_do():
    kernel = np.array([[0.0, 0.0, 1.0]])

    scores = kmeans(kernel, 2)

    assert sorted(scores[:2].tolist()) == [0, 1]
    assert scores[2] == 0
