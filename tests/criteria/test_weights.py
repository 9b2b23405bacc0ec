from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.criteria import weights

# Two taps, three filters, two inputs: [2, 1, 2, 3]. The mean magnitude is 1.5.
KERNEL = np.array(
    [[[[1.0, -3.0, 0.0], [2.0, -3.0, 0.0]]], [[[1.0, 3.0, 0.0], [-2.0, 3.0, 0.0]]]]
)


def test_sparsity_counts_the_weights_below_the_mean_of_the_layer():
    assert weights.sparsity(KERNEL, 3).tolist() == [0.5, 0.0, 1.0]


def test_sparsity_looks_at_the_whole_kernel_along_any_axis():
    assert weights.sparsity(KERNEL, 2).tolist() == [4 / 6, 2 / 6]
    assert weights.sparsity(KERNEL, 0).tolist() == [3 / 6, 3 / 6]


def test_weights_that_equal_the_mean_are_not_below_it():
    assert weights.sparsity(np.full([3, 3, 2, 4], -0.5), 3).tolist() == [0.0] * 4


def test_a_layer_of_zeros_scores_as_not_redundant():
    # No magnitude lies below a mean of 0: thresholds leave a dead layer alone.
    assert weights.sparsity(np.zeros([1, 1, 2, 2]), 3).tolist() == [0.0, 0.0]


def test_l1_sums_magnitudes():
    assert weights.l1(KERNEL, 3).tolist() == [6.0, 12.0, 0.0]
    assert weights.l1(KERNEL[0, 0], 0).tolist() == [4.0, 5.0]


def test_mean_square_is_the_mean_over_the_filter():
    # Filters of four weights: 1 + 4 + 1 + 4, 9 * 4 and 0.
    assert weights.small_mean_square(KERNEL, 3).tolist() == [-2.5, -9.0, 0.0]


def test_lamp_divides_by_the_filters_that_are_at_least_as_large():
    # Squared norms 10, 36 and 0: 10 / (10 + 36), 36 / 36 and 0 / 46.
    assert weights.small_lamp(KERNEL, 3).tolist() == [-10 / 46, -1.0, 0.0]


def test_lamp_of_a_layer_of_zeros_is_zero():
    assert weights.small_lamp(np.zeros([2, 3]), 1).tolist() == [0.0, 0.0, 0.0]


def test_lamp_of_many_equal_filters_grows_with_their_number():
    expected = [-1 / (20 - number) for number in range(20)]

    np.testing.assert_allclose(weights.small_lamp(np.ones([1, 20]), 1), expected)


@pytest.mark.parametrize('criterion', [weights.sparsity, weights.l1])
@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_scores_are_double_precision_and_the_kernel_stays(criterion, dtype):
    kernel = KERNEL.astype(dtype)

    scores = criterion(kernel, 3)

    assert scores.dtype == np.float64
    np.testing.assert_array_equal(kernel, KERNEL)


def test_large_half_precision_layers_do_not_overflow():
    kernel = np.full([1, 1, 64, 2], 2000.0, np.float16)

    assert weights.l1(kernel, 3).tolist() == [128000.0, 128000.0]
    # 2000^2 is above the largest number of 16 bits.
    assert weights.small_l2(kernel, 3).tolist() == [-16000.0, -16000.0]
