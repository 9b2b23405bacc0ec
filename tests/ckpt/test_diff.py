from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.ckpt import diff
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory


def compared(a, b):
    (found,) = diff.compare(ArraysInMemory({'w': a}), ArraysInMemory({'w': b}))
    return found


def test_differences_are_absolute_and_relative_to_the_largest_magnitude():
    found = compared(np.float32([1, -4, 2]), np.float32([1, -5, 2.5]))

    assert (found.state, found.largest, found.relative) == (diff.VALUES, 1.0, 0.2)


@pytest.mark.parametrize(
    'array',
    [
        np.float32([1, 2]),
        np.float32([np.nan, np.inf]),
        np.array(3, np.int64),
        np.array([True, False]),
        np.zeros([0, 3], np.float32),
        np.array([b'text'], object),
        np.array([1 + 2j]),
    ],
    ids=str,
)
def test_the_same_values_are_the_same(array):
    found = compared(array, array.copy())

    assert found.state == diff.SAME
    assert found.largest == (None if array.dtype == object else 0)


def test_a_value_that_is_not_finite_any_more_is_infinitely_far():
    found = compared(np.float32([1, 2]), np.float32([1, np.nan]))

    assert (found.state, found.largest) == (diff.VALUES, float('inf'))


def test_other_text_is_other_values():
    found = compared(np.array([b'a'], object), np.array([b'b'], object))

    assert (found.state, found.largest) == (diff.VALUES, None)


def test_what_is_only_in_one_or_has_another_form_is_said():
    a = {'gone': np.ones(3), 'cut': np.ones([2, 4]), 'half': np.ones(2, np.float32)}
    b = {'new': np.ones(1), 'cut': np.ones([2, 3]), 'half': np.ones(2, np.float16)}

    found = diff.compare(ArraysInMemory(a), ArraysInMemory(b))

    assert {row.name: (row.state, row.largest) for row in found} == {
        'cut': (diff.SHAPE, None),
        'gone': (diff.ONLY_FIRST, None),
        'half': (diff.DTYPE, 0),
        'new': (diff.ONLY_SECOND, None),
    }


def test_zeros_and_zero_filters_are_counted_on_both_sides():
    before = np.ones([1, 1, 2, 4], np.float32)
    after = before.copy()
    after[..., [0, 2]] = 0
    after[0, 0, 0, 1] = 0

    found = compared(before, after)

    assert (found.first.sparsity, found.first.zero_filters) == (0, 0)
    assert (found.second.sparsity, found.second.zero_filters) == (5 / 8, 2)


def test_the_filters_of_a_depthwise_kernel_lie_on_the_axis_before():
    kernel = np.ones([3, 3, 4, 1], np.float32)
    kernel[:, :, 1] = 0

    found = compared(kernel, kernel)

    assert found.first.zero_filters == 1


def test_vectors_have_no_filters():
    assert compared(np.zeros(3), np.zeros(3)).first.zero_filters is None


def test_the_largest_comes_first():
    arrays = ArraysInMemory({'b': np.ones(2), 'a': np.ones(2), 'c': np.ones(9)})

    found = diff.compare(arrays, ArraysInMemory({'d': np.ones(5)}))

    assert [(row.name, row.size) for row in found] == [
        ('c', 72),
        ('d', 40),
        ('a', 16),
        ('b', 16),
    ]


class Recording(Arrays):
    """Notes what is read."""

    def __init__(self, arrays):
        self._arrays = ArraysInMemory(arrays)
        self.shapes, self.dtypes = self._arrays.shapes, self._arrays.dtypes
        self.read = []

    def __getitem__(self, name):
        self.read.append(name)
        return self._arrays[name]


def test_one_variable_is_read_at_a_time():
    arrays = Recording({'a': np.ones(3), 'b': np.ones(2)})

    found = diff.compare(arrays, ArraysInMemory({}))

    assert arrays.read == []
    assert next(found).name == 'a'
    assert arrays.read == ['a']
