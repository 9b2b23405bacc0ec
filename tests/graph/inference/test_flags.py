"""Only a training flag is what inference needs; any other is what its user says."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference_graph import Flag
from tf1pruning.surgery import verify

ROW = np.array([[1.0, -2.0, 3.0, -4.0]])


def model_of(build):
    """The model of what `build(x)` makes of `[n, 4]`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        tf.identity(build(x), name='output')
    return networks.model_of(graph)


def answer(model, arrays=(), **feeds):
    frozen = freeze(model, dict(arrays))
    return verify.run(frozen, model.outputs, {'input': ROW, **feeds})[0].tolist()


def defaulted(value, name='flag'):
    return tf.placeholder_with_default(value, [], name)


def training():
    return tf.placeholder(tf.bool, [], 'is_training')


def dropped(x):
    return tf.nn.dropout(x, rate=0.5)


@pytest.mark.parametrize(
    ('default', 'expected'), [(True, 2.0 * ROW), (False, 3.0 * ROW)]
)
def test_a_flag_without_training_in_its_branches_has_its_default(default, expected):
    model = model_of(
        lambda x: tf.cond(defaulted(default), lambda: x * 2.0, lambda: x * 3.0)
    )

    assert model.flags == (Flag('flag', default, is_training=False),)
    assert model.inputs == ('input',)
    assert answer(model) == expected.tolist()


def test_a_flag_without_a_default_stays_an_input():
    model = model_of(
        lambda x: tf.cond(
            tf.placeholder(tf.bool, [], 'flag'), lambda: x * 2.0, lambda: tf.nn.relu(x)
        )
    )

    assert model.flags == ()
    assert model.inputs == ('input', 'flag')
    assert answer(model, flag=np.array(True)) == (2.0 * ROW).tolist()
    assert answer(model, flag=np.array(False)) == np.maximum(ROW, 0.0).tolist()


@pytest.mark.parametrize('value', [True, False])
def test_a_variable_flag_has_its_value_of_the_checkpoint(value):
    def build(x):
        flag = tf.get_variable('flag', [], tf.bool, tf.zeros_initializer())
        return tf.cond(flag, lambda: x * 2.0, lambda: tf.nn.relu(x))

    model = model_of(build)

    expected = 2.0 * ROW if value else np.maximum(ROW, 0.0)
    assert answer(model, {'flag': np.array(value)}) == expected.tolist()


@pytest.mark.parametrize('value', [True, False])
def test_a_branch_that_gives_a_constant_stays_a_branch(value):
    def build(x):
        flag = tf.placeholder(tf.bool, [], 'flag')
        return tf.cond(flag, lambda: x, lambda: 3.0 * tf.ones_like(x))

    model = model_of(build)

    expected = ROW if value else np.full_like(ROW, 3.0)
    assert answer(model, {}, flag=np.array(value)) == expected.tolist()


def test_a_flag_around_training_is_no_training_flag():
    def build(x):
        flag = training()
        return tf.cond(
            defaulted(True),
            lambda: tf.cond(flag, lambda: dropped(x), lambda: x) * 2.0,
            lambda: x * 3.0,
        )

    model = model_of(build)

    assert {str(flag) for flag in model.flags} == {
        'training flag is_training: False',
        'flag flag: True, its default',
    }
    assert answer(model) == (2.0 * ROW).tolist()


def test_a_flag_behind_training_is_no_training_flag():
    def build(x):
        x = tf.cond(training(), lambda: dropped(x), lambda: x)
        return tf.cond(defaulted(True), lambda: x * 2.0, lambda: tf.ones_like(x))

    assert answer(model_of(build)) == (2.0 * ROW).tolist()


def test_batch_norm_that_always_trains_makes_no_training_flag():
    def build(x):
        x = tf.nn.relu(tf.layers.batch_normalization(x, training=True, fused=False))
        return tf.cond(defaulted(True), lambda: x * 2.0, lambda: x[:, :1])

    model = model_of(build)

    assert model.flags == (Flag('flag', True, is_training=False),)


@pytest.mark.parametrize(
    'build',
    [
        lambda x: tf.cond(training(), lambda: dropped(x), lambda: x),
        lambda x: tf.layers.batch_normalization(x, training=training(), fused=False),
        lambda x: tf.cond(
            training(), lambda: x + tf.random_normal([4]), lambda: tf.nn.relu(x)
        ),
    ],
)
def test_training_in_one_branch_makes_a_training_flag(build):
    model = model_of(build)

    assert model.flags == (Flag('is_training', False, is_training=True),)
    assert model.inputs == ('input',)


def test_two_flags_that_decide_together_are_not_decided_each():
    def build(x):
        use = defaulted(True, 'use_dropout')
        both = tf.logical_and(training(), use, name='both')
        x = tf.cond(both, lambda: dropped(x), lambda: x)
        return tf.cond(use, lambda: x * 2.0, lambda: x * 3.0)

    model = model_of(build)

    assert {str(flag) for flag in model.flags} == {
        'training flag both: False',
        'flag use_dropout: True, its default',
    }
    assert answer(model) == (2.0 * ROW).tolist()


def test_one_of_two_flags_may_decide():
    def build(x):
        flag = training()
        other = tf.placeholder(tf.bool, [], 'other')
        x = tf.cond(flag, lambda: dropped(x), lambda: x)
        return tf.cond(
            tf.logical_and(flag, other), lambda: x * 2.0, lambda: tf.nn.relu(x)
        )

    model = model_of(build)

    assert model.inputs == ('input',)
    assert answer(model) == np.maximum(ROW, 0.0).tolist()


def test_a_flag_for_inference_is_true():
    def build(x):
        flag = tf.placeholder(tf.bool, [], 'is_inference')
        return tf.cond(flag, lambda: x, lambda: dropped(x))

    assert model_of(build).flags == (Flag('is_inference', True, is_training=True),)


def test_a_training_flag_decides_all_its_conditionals():
    def build(x):
        flag = training()
        x = tf.cond(flag, lambda: dropped(x), lambda: x)
        return tf.cond(flag, lambda: x, lambda: tf.nn.relu(x))

    assert answer(model_of(build)) == np.maximum(ROW, 0.0).tolist()


def test_keras_outside_of_batch_norm_and_dropout_has_the_default_phase():
    backend = tf.keras.backend

    model = model_of(lambda x: backend.in_train_phase(lambda: x * 2.0, tf.nn.relu(x)))

    (flag,) = model.flags
    assert not flag.value
    assert answer(model) == np.maximum(ROW, 0.0).tolist()
