from __future__ import annotations

import pytest

from tf1pruning.shapes import element_count


@pytest.mark.parametrize(
    ('shape', 'count'),
    [((), 1), ((0,), 0), ((2, 3), 6), ((3, 0, 5), 0), ((70000, 70000), 4900000000)],
)
def test_the_sizes_of_a_shape_are_multiplied(shape, count):
    assert element_count(shape) == count
