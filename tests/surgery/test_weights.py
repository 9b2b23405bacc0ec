from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import CheckpointError
from tf1pruning.surgery import weights

WHOLE = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def partitioned():
    """`w` `[3, 4]` in two parts of two columns, which are read one by one."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        parts = tf.get_variable('w', [3, 4], partitioner=lambda **_: [1, 2])
        products = [tf.matmul(x, part) for part in parts]
        tf.concat(products, 1, name='output')
    return networks.model_of(graph)


def test_the_parts_of_a_variable_are_cut_out_of_the_whole(partitioned):
    found = weights.model_arrays(partitioned, ArraysInMemory({'w': WHOLE}))

    assert {name: array.tolist() for name, array in found.items()} == {
        'w/part_0': [[0, 1], [4, 5], [8, 9]],
        'w/part_1': [[2, 3], [6, 7], [10, 11]],
    }


def test_the_parts_are_put_together_again(partitioned):
    arrays = weights.model_arrays(partitioned, ArraysInMemory({'w': WHOLE}))

    found = weights.CheckpointArrays(partitioned, arrays)

    assert list(found) == ['w']
    np.testing.assert_array_equal(found['w'], WHOLE)


@pytest.fixture
def dense():
    return nets.net_of(nets.chain(nets.conv('a', 4), nets.conv('b', 2)))


def test_other_variables_of_a_checkpoint_are_left_out(dense):
    checkpoint = ArraysInMemory({**dense.arrays, 'global_step': np.array(3)})

    found = weights.model_arrays(dense.model, checkpoint)

    assert set(found) == {'a/kernel', 'a/bias', 'b/kernel', 'b/bias'}


def test_all_missing_variables_are_named(dense):
    with pytest.raises(CheckpointError, match=r"lacks: 'a/bias', 'b/bias'\. Only"):
        weights.model_arrays(
            dense.model,
            ArraysInMemory(
                {name: a for name, a in dense.arrays.items() if 'bias' not in name}
            ),
        )


def test_none_of_many_problems_is_left_out():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1], 'input')
        many = [tf.get_variable(f'v{i}', [1]) for i in range(12)]
        tf.add_n([x, *many], name='output')
    model = networks.model_of(graph)
    misshaped = ArraysInMemory({v.key: np.zeros(2) for v in model.variables})

    for arrays in (ArraysInMemory({}), misshaped):
        with pytest.raises(CheckpointError) as error:
            weights.model_arrays(model, arrays)
        assert all(f"'v{i}'" in str(error.value) for i in range(12))


def test_all_shapes_that_differ_are_named(dense):
    dense.arrays['a/bias'] = np.zeros(5)
    dense.arrays['b/kernel'] = np.zeros([1, 1, 5, 2])

    with pytest.raises(CheckpointError) as error:
        weights.model_arrays(dense.model, ArraysInMemory(dense.arrays))

    assert str(error.value).startswith(
        "Shapes differ: 'a/bias' is (5,) in the checkpoint and (4,) in the graph; "
        "'b/kernel' is (1, 1, 5, 2) in the checkpoint and (1, 1, 4, 2) in the graph."
    )


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_all_variables_that_are_not_finite_are_named(dense, bad):
    dense.arrays['a/bias'] = np.array([1, 2, bad, 3], np.float16)
    dense.arrays['b/kernel'] = np.full([1, 1, 4, 2], bad, np.float32)

    with pytest.raises(CheckpointError, match="infinite values in 'a/bias', 'b/kern"):
        weights.model_arrays(dense.model, ArraysInMemory(dense.arrays))


def test_arrays_that_are_read_one_by_one_are_checked_then(dense):
    dense.arrays['b/bias'] = np.array([np.nan, 0])

    found = weights.ModelArrays(dense.model, ArraysInMemory(dense.arrays))

    np.testing.assert_array_equal(found['a/bias'], dense.arrays['a/bias'])
    with pytest.raises(CheckpointError, match="infinite values in 'b/bias'"):
        found['b/bias']
