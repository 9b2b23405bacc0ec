"""Moments that are added up batch by batch."""

from __future__ import annotations

import numpy as np

from tf1pruning.algebra.moments import Moments


def rows(seed, count, size, systems=2):
    # A large mean: sums of squares in 32 bits would lose all of the variance.
    generator = np.random.RandomState(seed)
    return (generator.randn(systems, count, size) + 1000).astype(np.float32)


def test_moments_are_covariances():
    x, y = rows(0, 300, 3), rows(1, 300, 2)
    moments = Moments(1)
    for start in range(0, 300, 70):
        part = slice(start, start + 70)
        moments.add(x[:, part], [y[:, part]])

    found = moments.regression(0)

    assert found.count == 300
    for system in range(2):
        together = np.hstack([x[system], y[system]]).astype(np.float64)
        covariance = np.cov(together.T, bias=True)
        np.testing.assert_allclose(found.gram[system], covariance[:3, :3], atol=1e-4)
        np.testing.assert_allclose(found.cross[system], covariance[:3, 3:], atol=1e-4)
        np.testing.assert_allclose(
            found.power[system], np.diag(covariance)[3:], atol=1e-4
        )
        np.testing.assert_allclose(found.mean_x[system], together[:, :3].mean(axis=0))
        np.testing.assert_allclose(found.mean_y[system], together[:, 3:].mean(axis=0))


def test_products_that_32_bits_do_not_hold_have_64():
    x, y = rows(0, 300, 3) - 1000, rows(1, 300, 2) - 1000
    small, large = Moments(1), Moments(1)
    small.add(x, [y])
    large.add(x * np.float32(2**100), [y * np.float32(2**100)])

    expected, found = small.regression(0), large.regression(0)

    for name in ('gram', 'cross', 'power'):
        scaled = getattr(found, name) / 2.0**200
        np.testing.assert_allclose(
            scaled, getattr(expected, name), rtol=1e-4, atol=1e-4
        )


def test_readers_of_the_same_rows_have_one_gram_matrix():
    x, y, z = rows(0, 50, 3), rows(1, 50, 1), rows(2, 50, 2)
    both, alone = Moments(2), Moments(1)
    both.add(x, [y, z])
    alone.add(x, [z])

    np.testing.assert_array_equal(both.regression(1).gram, alone.regression(0).gram)
    np.testing.assert_allclose(both.regression(1).cross, alone.regression(0).cross)


def test_joined_moments_are_those_of_all_rows():
    x, y = rows(0, 100, 3), rows(1, 100, 2)
    x[:, 60:] += 5
    parts, whole = [Moments(1), Moments(1)], Moments(1)
    whole.add(x, [y])
    parts[0].add(x[:, :60], [y[:, :60]])
    parts[1].add(x[:, 60:], [y[:, 60:]])

    found = parts[0].regression(0).joined(parts[1].regression(0))

    expected = whole.regression(0)
    assert found.count == 100
    for name in ('gram', 'cross', 'power', 'mean_x', 'mean_y'):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-4
        )


def test_moments_about_zero_are_mean_products():
    x, y = rows(0, 40, 2) - 998, rows(1, 40, 1) - 999
    moments = Moments(1)
    moments.add(x, [y])

    found = moments.regression(0).about_zero()

    np.testing.assert_allclose(found.gram[0], x[0].T @ x[0] / 40, rtol=1e-4)
    np.testing.assert_allclose(found.cross[0], x[0].T @ y[0] / 40, rtol=1e-4)
    np.testing.assert_allclose(found.power[0], (y[0] ** 2).mean(axis=0), rtol=1e-4)


def test_parts_of_moments_are_those_of_parts_of_the_rows():
    x, y = rows(0, 60, 4), rows(1, 60, 3)
    systems, inputs, outputs = np.array([1]), np.array([3, 0]), np.array([2])
    whole, part = Moments(1), Moments(1)
    whole.add(x, [y])
    part.add(x[systems][:, :, inputs], [y[systems][:, :, outputs]])
    whole.moved(np.copy)

    found, expected = whole.part(systems, inputs, outputs), part.regression(0)

    for name in ('gram', 'cross', 'power', 'mean_x', 'mean_y'):
        np.testing.assert_allclose(
            getattr(found.regression(0), name), getattr(expected, name), rtol=1e-5
        )
