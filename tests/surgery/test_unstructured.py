from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.surgery.unstructured import with_smallest_zero

ARRAY = np.array([[0.5, -3.0, 1.0], [-1.0, 2.0, 0.1]])


@pytest.mark.parametrize(
    ('share', 'expected'),
    [
        (0.0, [[0.5, -3, 1], [-1, 2, 0.1]]),
        (0.5, [[0, -3, 0], [-1, 2, 0]]),
        (0.9, [[0, -3, 0], [0, 0, 0]]),
    ],
)
def test_exactly_the_share_goes_the_smallest_first(share, expected):
    before = ARRAY.copy()

    np.testing.assert_array_equal(with_smallest_zero(ARRAY, share), expected)
    np.testing.assert_array_equal(ARRAY, before)
