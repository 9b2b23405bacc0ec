from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.ckpt.arrays import ArraysInMemory


def test_arrays_in_memory_are_a_mapping_with_shapes():
    source = {'b': np.zeros([2, 3]), 'a': np.array(1)}

    arrays = ArraysInMemory(source)

    assert arrays.shapes == {'b': (2, 3), 'a': ()}
    assert list(arrays) == ['b', 'a']
    assert len(arrays) == 2
    assert arrays['b'] is source['b']
    with pytest.raises(KeyError):
        arrays['c']


def test_later_changes_of_the_source_do_not_show():
    source = {'a': np.zeros([1])}
    arrays = ArraysInMemory(source)

    source['b'] = np.zeros([1])

    assert list(arrays) == ['a']
