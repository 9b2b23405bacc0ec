"""Orders of removal against least squares that is solved for every subset."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tf1pruning.algebra import elimination
from tf1pruning.algebra.elimination import Reader, eliminate, with_ridge


def reader_of(seed, width, taps=1, others=0, outputs=3, weight=1.0):
    """A reader with correlated inputs, in any order."""
    generator = np.random.RandomState(seed)
    n = width * taps + others
    x = generator.normal(size=[50, n]) @ generator.normal(size=[n, n])
    entries = generator.permutation(n)[: width * taps].reshape(width, taps)
    kernel = generator.normal(size=[n, outputs])
    return Reader(x.T @ x / len(x), kernel, entries, weight)


def residual(reader, gone):
    """Squared error of the best kernel without some channels, ridge and all."""
    gram = with_ridge(reader.gram)
    kept = np.setdiff1d(np.arange(len(gram)), reader.entries[list(gone)])
    best = np.zeros_like(reader.kernel)
    cross = gram[kept] @ reader.kernel
    best[kept] = np.linalg.solve(gram[np.ix_(kept, kept)], cross)
    error = reader.kernel - best
    return reader.weight * np.trace(error.T @ gram @ error)


def greedy(readers):
    """By least squares for each channel that could be the next."""
    order, losses = [], []
    for _ in readers[0].entries:
        left = [c for c in range(len(readers[0].entries)) if c not in order]
        found = [sum(residual(r, [*order, c]) for r in readers) for c in left]
        order.append(left[int(np.argmin(found))])
        losses.append(min(found))
    return order, losses


@pytest.mark.parametrize(
    'readers',
    [
        [reader_of(0, 6)],
        [reader_of(1, 5, taps=3, others=4)],
        [reader_of(2, 4, taps=2, outputs=30)],
        [reader_of(3, 6), reader_of(4, 6, taps=2, others=3, weight=0.01)],
    ],
)
def test_each_removal_is_the_cheapest_and_costs_what_least_squares_leaves(readers):
    found = eliminate(readers)

    order, losses = greedy(readers)
    assert found.order.tolist() == order
    np.testing.assert_allclose(found.losses, losses, rtol=1e-8)


def test_the_last_one_that_stays_alone_is_not_far_from_the_best_subset():
    reader = reader_of(5, 6)

    found = eliminate([reader])

    best = min(residual(reader, s) for s in itertools.combinations(range(6), 3))
    assert best <= found.losses[2] <= 1.5 * best


def test_one_of_two_twins_goes_first_and_the_other_takes_its_part():
    generator = np.random.RandomState(6)
    x = generator.normal(size=[50, 4])
    x = np.hstack([x, 2 * x[:, :1]])
    kernel = generator.normal(size=[5, 3])
    kernel[[0, 4]] *= 10

    found = eliminate([Reader(x.T @ x, kernel, np.arange(5)[:, np.newaxis])])

    assert found.order[0] in (0, 4)
    assert set(found.order[-1:]) <= {0, 4}
    assert found.losses[0] < 1e-3 * found.losses[-1]


def test_a_channel_that_a_reader_does_not_read_costs_it_nothing():
    one, other = reader_of(7, 3), reader_of(8, 2)
    missing = np.insert(other.entries, 1, -1, axis=0)

    found = eliminate([one, other._replace(entries=missing)])

    np.testing.assert_allclose(
        found.losses[-1], residual(one, range(3)) + residual(other, range(2))
    )
    alone = eliminate([other._replace(entries=missing)])
    assert (alone.order[0], alone.losses[0]) == (1, 0)


@pytest.mark.parametrize(
    'gram', [np.zeros([3, 3]), np.ones([3, 3]), np.diag([1, 0, 0])], ids=str
)
def test_inputs_that_never_vary_are_ordered_all_the_same(gram):
    kernel = np.array([[1.0], [2.0], [3.0]])

    found = eliminate([Reader(gram, kernel, np.arange(3)[:, np.newaxis])])

    assert sorted(found.order) == [0, 1, 2]
    assert np.isfinite(found.losses).all()
    assert (np.diff(found.losses) >= 0).all()


def test_several_channels_between_two_updates_cost_what_least_squares_leaves(
    monkeypatch,
):
    monkeypatch.setattr(elimination, '_ROUNDS', 4)
    reader = reader_of(9, 10, taps=2)

    found = eliminate([reader])

    assert sorted(found.order) == list(range(10))
    for count in range(1, 11):
        expected = residual(reader, found.order[:count])
        np.testing.assert_allclose(found.losses[count - 1], expected, rtol=1e-8)
    # A dozen candidates for three places hold all channels: the order is exact.
    assert found.order[:3].tolist() == greedy([reader])[0][:3]
