from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import DataError
from tf1pruning.export import calibration


def model(batch=None):
    with tf.Graph().as_default() as graph:
        a = tf.placeholder(tf.float32, [batch, 3], 'a')
        b = tf.placeholder(tf.float32, [batch, None], 'b')
        keep = tf.placeholder_with_default(1.0, [], 'keep')
        tf.add(tf.reduce_sum(a) * keep, tf.reduce_sum(b), name='output')
    return networks.model_of(graph)


def checked(batch=None, **arrays):
    return calibration.checked(arrays, model(batch))


def test_samples_become_floats():
    found = checked(a=np.ones([4, 3], np.uint8), b=np.ones([4, 7]))

    assert {name: array.dtype for name, array in found.items()} == {
        'a': np.float32,
        'b': np.float32,
    }


@pytest.mark.parametrize(
    ('arrays', 'expected'),
    [
        ({'a': np.ones([4, 3])}, "no array for the input 'b'"),
        ({'a': np.ones([4, 3]), 'b': np.ones([3, 3])}, 'different numbers of samples'),
        (
            {'a': np.ones([4, 2]), 'b': np.ones([4, 3])},
            r'\(4, 2\); expected \(samples, 3\)',
        ),
        ({'a': np.ones([0, 3]), 'b': np.ones([0, 3])}, r"'a' has shape \(0, 3\); exp"),
        ({'a': np.array(['x'] * 3), 'b': np.ones([3, 3])}, "'a' has shape"),
        ({'a': np.full([1, 3], np.nan), 'b': np.ones([1, 3])}, "'a' has NaN"),
        ({'a': np.ones([4, 3]), 'bb': np.ones([4, 3])}, "'bb' is for no input; there"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arrays, expected):
    with pytest.raises(DataError, match=expected):
        checked(**arrays)


def test_all_problems_come_at_once():
    with pytest.raises(DataError, match=r"'a'.*'b'"):
        checked()


def test_samples_come_one_by_one():
    samples = {'a': np.arange(6).reshape(2, 3), 'b': np.arange(2).reshape(2, 1)}

    found = calibration.batches(samples, model())

    assert [[array.tolist() for array in batch.values()] for batch in found] == [
        [[[0, 1, 2]], [[0]]],
        [[[3, 4, 5]], [[1]]],
    ]


def test_a_fixed_batch_takes_as_many_as_it_needs():
    samples = {'a': np.ones([5, 3]), 'b': np.ones([5, 1])}

    found = calibration.batches(samples, model(batch=2))

    assert [[array.shape for array in batch.values()] for batch in found] == [
        [(2, 3), (2, 1)],
        [(2, 3), (2, 1)],
    ]
    with pytest.raises(DataError, match='fewer samples than one batch'):
        checked(batch=6, **samples)
