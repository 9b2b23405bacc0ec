from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory


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


class Damaged(Arrays):
    """A variable whose array cannot be read."""

    shapes = {'w': (2,)}
    dtypes = {'w': tf.float32}

    def __getitem__(self, name):
        raise OSError(name)


def test_which_variables_there_are_is_known_without_reading_one():
    arrays = Damaged()

    assert 'w' in arrays
    assert 'v' not in arrays
    assert list(arrays) == ['w']
    assert len(arrays) == 1
    assert arrays.nbytes == 8
