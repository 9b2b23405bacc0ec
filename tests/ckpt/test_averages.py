"""Variables get the values of their moving averages."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.averages import Averaged
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError

SUFFIX = '/ExponentialMovingAverage'


def averaged(**values):
    """`w_average` stands for the average of `w`; `a__b` for `a/b`."""
    return Averaged(
        ArraysInMemory(
            {
                name.replace('__', '/').replace('_average', SUFFIX): np.array(value)
                for name, value in values.items()
            }
        )
    )


def test_a_variable_has_the_value_of_its_average():
    found = averaged(w=[1.0], w_average=[2.0], b=[3.0])

    assert found['w'].tolist() == [2.0]


def test_a_variable_without_an_average_keeps_its_value():
    found = averaged(w=[1.0], w_average=[2.0], b=[3.0])

    assert found['b'].tolist() == [3.0]


def test_names_shapes_and_types_are_those_of_the_checkpoint():
    found = averaged(w=[1.0], w_average=[2.0])

    assert list(found) == ['w', f'w{SUFFIX}']
    assert len(found) == 2
    assert found.shapes == {'w': (1,), f'w{SUFFIX}': (1,)}
    assert found.dtypes['w'] == tf.float64


def test_an_average_that_was_made_in_a_scope_is_found():
    found = averaged(net__w=[1.0], train__net__w_average=[2.0])

    assert found['net/w'].tolist() == [2.0]


@pytest.mark.parametrize('is_first', [True, False])
def test_the_average_without_a_scope_wins(is_first):
    names = ['w_average', 'train__w_average']
    values = {'w_average': [2.0], 'train__w_average': [3.0]}
    ordered = {name: values[name] for name in names[:: 1 if is_first else -1]}

    assert averaged(w=[1.0], **ordered)['w'].tolist() == [2.0]


def test_two_averages_of_one_variable_are_named():
    with pytest.raises(CheckpointError) as caught:
        averaged(w=[1.0], a__w_average=[2.0], b__w_average=[3.0])

    assert f"'w' has several moving averages: 'a/w{SUFFIX}', 'b/w{SUFFIX}'" in str(
        caught.value
    )


def test_every_average_of_another_shape_is_named():
    with pytest.raises(CheckpointError) as caught:
        averaged(w=[1.0], w_average=[2.0, 2.0], b=[1.0], b_average=2.0)

    assert "'w' is (1,) and its average (2,); 'b' is (1,) and its average ()" in str(
        caught.value
    )


def test_no_averages_at_all_are_an_error():
    with pytest.raises(CheckpointError, match='No variable has a moving average'):
        averaged(w=[1.0], b=[2.0])


def test_the_averages_that_tensorflow_writes_are_read(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.variable_scope('net'):
            w = tf.get_variable('w', [2], initializer=tf.zeros_initializer())
        average = tf.train.ExponentialMovingAverage(0.5)
        with tf.control_dependencies([tf.assign_add(w, [4.0, 8.0])]):
            step = average.apply([w])
        session.run(tf.global_variables_initializer())
        session.run(step)
        prefix = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))

    found = Averaged(Checkpoint(prefix))

    assert found['net/w'].tolist() == [2.0, 4.0]
