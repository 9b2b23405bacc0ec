"""Ridge regression from moments."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf1pruning.algebra import least_squares
from tf1pruning.algebra.least_squares import Equations
from tf1pruning.algebra.moments import Moments

WEIGHTS = np.array([[[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]])
INTERCEPT = np.array([[4.0, -3.0]])


def equations(x, y, has_intercept=True):
    moments = Moments(1)
    moments.add(x, [y])
    return Equations(moments.regression(0), has_intercept)


def inputs(seed, count=200):
    return np.random.RandomState(seed).randn(1, count, 3) + 2


def made(x, noise=0.0):
    generator = np.random.RandomState(9)
    return x @ WEIGHTS + INTERCEPT + noise * generator.randn(1, x.shape[1], 2)


def test_exact_weights_are_found():
    x = inputs(0)
    found = least_squares.fit(
        [equations(x, made(x))], [equations(inputs(1), made(inputs(1)))], 0 * WEIGHTS
    )
    np.testing.assert_allclose(found.weights, WEIGHTS, atol=1e-4)
    np.testing.assert_allclose(found.intercepts[0], INTERCEPT, atol=1e-4)
    assert found.helps
    assert found.ridge == 1e-5
    assert found.error < 1e-8


def test_error_is_the_mean_square_of_what_is_left():
    x, weights, intercept = inputs(0), WEIGHTS + 0.3, INTERCEPT - 1
    y = made(x, noise=0.1)
    expected = np.square(y - x @ weights - intercept).mean(axis=1).sum()
    assert equations(x, y).error(weights, intercept) == pytest.approx(expected)


def test_errors_count_by_the_worth_of_an_output():
    x, weights, intercept = inputs(0), WEIGHTS + 0.3, INTERCEPT - 1
    y = made(x, noise=0.1)
    first = dataclasses.replace(equations(x, y), worth=np.array([[4.0, 0.0]]))
    expected = 4 * np.square(y - x @ weights - intercept).mean(axis=1)[0, 0]
    assert first.error(weights, intercept) == pytest.approx(expected)
    assert first.power == pytest.approx(4 * y[0, :, 0].var())


def test_without_an_intercept_the_line_goes_through_zero():
    x = inputs(0)
    y = made(x)
    one = equations(x, y, has_intercept=False)

    found = least_squares.solve([one], 0 * WEIGHTS, 1e-9)

    expected, _, _, _ = np.linalg.lstsq(x[0], y[0], rcond=None)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    assert not one.intercept(found).any()


def test_inputs_that_never_vary_keep_the_prior():
    x = inputs(0)
    x[..., 1] = 7.0
    prior = np.full([1, 3, 2], 5.0)

    found = least_squares.solve([equations(x, made(x))], prior, 1e-6)

    np.testing.assert_allclose(found[0, 1], [5.0, 5.0])
    np.testing.assert_allclose(found[0, [0, 2]], WEIGHTS[0, [0, 2]], atol=1e-4)


def test_a_system_without_any_input_keeps_the_prior():
    zeros = np.zeros([1, 10, 3])
    prior = np.full([1, 3, 2], 5.0)
    found = least_squares.solve([equations(zeros, made(zeros))], prior, 1e-3)
    np.testing.assert_allclose(found, prior)


def test_layers_that_share_weights_have_intercepts_of_their_own():
    x, z = inputs(0), inputs(1)
    both = [equations(x, made(x)), equations(z, made(z) + 10)]

    found = least_squares.fit(both, both, 0 * WEIGHTS)

    np.testing.assert_allclose(found.weights, WEIGHTS, atol=1e-3)
    np.testing.assert_allclose(found.intercepts[1], INTERCEPT + 10, atol=1e-2)


def test_too_few_rows_do_not_help():
    generator = np.random.RandomState(0)
    x, held = generator.randn(1, 4, 30), generator.randn(1, 200, 30)
    prior = generator.randn(1, 30, 2)

    def noisy(rows):
        return rows @ prior + generator.randn(1, rows.shape[1], 2)

    found = least_squares.fit(
        [equations(x, noisy(x))], [equations(held, noisy(held))], prior
    )

    assert not found.helps
    assert found.error >= found.prior_error


def test_the_ridge_follows_the_noise_of_the_rows():
    x, held = inputs(0, count=5), inputs(1)
    found = least_squares.fit(
        [equations(x, made(x, noise=2.0))], [equations(held, made(held))], WEIGHTS
    )
    assert found.ridge == 1.0
