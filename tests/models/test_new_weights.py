from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.graph.frozen import freeze
from tf1pruning.models import reading
from tf1pruning.models.new_weights import with_new_weights


def dense_net(optimizer, dtype=tf.float32):
    """`dense` of 3 x 4 behind `input`, trained, with moving averages."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(dtype, [None, 3], 'input')
        y = tf.layers.dense(x, 4, use_bias=False, name='dense')
        tf.identity(y, name='output')
        averages = tf.train.ExponentialMovingAverage(0.9)
        train = optimizer.minimize(tf.reduce_mean(tf.square(y)))
        with tf.control_dependencies([train]):
            averages.apply(tf.trainable_variables())
    return graph


def loaded(graph, folder):
    return reading.load(networks.save(graph, str(folder / 'net')), ('output',))


NEW = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_averages_take_the_values_and_slots_become_zero(tmp_path):
    model = loaded(dense_net(tf.train.AdamOptimizer()), tmp_path)

    new = with_new_weights(model, {'dense/kernel': NEW}).variables

    np.testing.assert_array_equal(new['dense/kernel'], NEW)
    np.testing.assert_array_equal(new['dense/kernel/ExponentialMovingAverage'], NEW)
    assert not new['dense/kernel/Adam'].any()
    assert not new['dense/kernel/Adam_1'].any()
    assert new['beta1_power'] == model.variables['beta1_power']
    assert model.variables['dense/kernel/Adam'].any()


def test_what_adagrad_divides_by_stays(tmp_path):
    model = loaded(dense_net(tf.train.AdagradOptimizer(0.1)), tmp_path)

    new = with_new_weights(model, {'dense/kernel': NEW}).variables

    slot = 'dense/kernel/Adagrad'
    np.testing.assert_array_equal(new[slot], model.variables[slot])


def test_a_part_that_is_read_alone_changes_that_part(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        parts = tf.get_variable(
            'w', [3, 4], partitioner=tf.fixed_size_partitioner(2, 1)
        )
        products = [tf.matmul(x, part) for part in parts]
        tf.identity(sum(products), name='output')
    model = loaded(graph, tmp_path)
    first, second = (variable.node for variable in model.graph.variables)

    new = with_new_weights(model, {first: NEW[:, :2]})

    old = model.variables['w']
    np.testing.assert_array_equal(
        new.variables['w'], np.hstack([NEW[:, :2], old[:, 2:]])
    )
    np.testing.assert_array_equal(new.arrays()[second], old[:, 2:])


@pytest.mark.parametrize('dtype', [tf.float32, tf.float16])
def test_constants_keep_their_type(tmp_path, dtype):
    model = loaded(
        dense_net(tf.train.GradientDescentOptimizer(0.1), dtype=dtype), tmp_path
    )
    path = str(tmp_path / 'frozen.pb')
    freeze.write_frozen(path, freeze.freeze(model.graph, model.arrays()))
    frozen = reading.load(path, ('output',))

    new = with_new_weights(frozen, {'dense/kernel': NEW})

    assert new.constants()['dense/kernel'].dtype == dtype.as_numpy_dtype
    np.testing.assert_array_equal(new.constants()['dense/kernel'], NEW)
    assert not np.array_equal(frozen.constants()['dense/kernel'], NEW)
