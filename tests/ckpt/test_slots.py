from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.ckpt.slots import find_slots, zeroed_slots

SHAPE = (3, 2)


def trained(optimizer, outer_scope=''):
    """Shapes of the variables after `optimizer` was set to work on `net/w`."""
    with tf.Graph().as_default() as graph:
        w = tf.get_variable('net/w', SHAPE)
        with tf.variable_scope(outer_scope):
            optimizer.minimize(tf.reduce_sum(w))
        variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    return {v.op.name: tuple(v.shape.as_list()) for v in variables}


@pytest.mark.parametrize(
    ('optimizer', 'slots'),
    [
        (lambda: tf.train.GradientDescentOptimizer(0.1), []),
        (lambda: tf.train.MomentumOptimizer(0.1, 0.9), ['Momentum']),
        (lambda: tf.train.AdamOptimizer(), ['Adam', 'Adam_1']),
        (lambda: tf.train.RMSPropOptimizer(0.1), ['RMSProp', 'RMSProp_1']),
        (lambda: tf.train.AdagradOptimizer(0.1), ['Adagrad']),
        (lambda: tf.train.FtrlOptimizer(0.1), ['Ftrl', 'Ftrl_1']),
        (lambda: tf.train.AdadeltaOptimizer(0.1), ['Adadelta', 'Adadelta_1']),
        (lambda: tf.train.MomentumOptimizer(0.1, 0.9, name='Mine'), ['Mine']),
    ],
)
@pytest.mark.parametrize('scope', ['', 'train/step'])
def test_the_slots_of_an_optimizer_are_found(optimizer, slots, scope):
    shapes = trained(optimizer(), scope)

    found = find_slots(shapes, ['net/w'])

    prefix = f'{scope}/' if scope else ''
    assert found == {f'{prefix}net/w/{name}': 'net/w' for name in slots}


def test_moving_averages_are_found():
    with tf.Graph().as_default() as graph:
        w = tf.get_variable('net/w', SHAPE)
        tf.train.ExponentialMovingAverage(0.9).apply([w])
        variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    shapes = {v.op.name: tuple(v.shape.as_list()) for v in variables}

    assert find_slots(shapes, ['net/w']) == {
        'net/w/ExponentialMovingAverage': 'net/w',
    }


@pytest.mark.parametrize(
    'other',
    [
        'net/v',  # another variable of the same shape
        'net/w_1',
        'net/w/a/b',  # no slot name has two components
        'w/Adam',  # shadows `w`, which is no weight of this model
        'global_step',
    ],
)
def test_another_variable_of_the_same_shape_is_no_slot(other):
    assert find_slots({'net/w': SHAPE, other: SHAPE}, ['net/w']) == {}


def test_a_variable_of_another_shape_is_no_slot():
    shapes = {'net/w': SHAPE, 'net/w/Adam': (3,), 'net/w/power': ()}

    assert find_slots(shapes, ['net/w']) == {}


def test_what_an_optimizer_divides_by_is_not_zeroed_whatever_its_name():
    shapes = {'w': SHAPE, 'w/Mine': SHAPE, 'w/Mine_1': SHAPE}

    assert zeroed_slots(shapes, ['w'], ['w/Mine']) == {'w/Mine_1': 'w'}


def test_a_weight_below_another_weight_is_no_slot():
    shapes = {'w': SHAPE, 'w/inner': SHAPE, 'w/inner/Adam': SHAPE}

    assert find_slots(shapes, ['w', 'w/inner']) == {'w/inner/Adam': 'w/inner'}


def test_the_longest_weight_name_owns_the_slot():
    shapes = {'w': SHAPE, 'net/w': SHAPE, 'net/w/Adam': SHAPE, 'w/Adam': SHAPE}

    assert find_slots(shapes, ['w', 'net/w']) == {
        'net/w/Adam': 'net/w',
        'w/Adam': 'w',
    }


@pytest.mark.parametrize(
    'make',
    [
        lambda step: tf.train.MomentumOptimizer(0.1, 0.9),
        lambda step: tf.train.AdamOptimizer(0.1),
        lambda step: tf.train.RMSPropOptimizer(0.1, momentum=0.9, centered=True),
        lambda step: tf.train.FtrlOptimizer(0.1),
        lambda step: tf.train.AdadeltaOptimizer(0.1),
        lambda step: tf.train.AdagradOptimizer(0.1),
        lambda step: tf.train.ProximalAdagradOptimizer(0.1),
        lambda step: tf.train.AdagradDAOptimizer(0.1, step),
    ],
)
def test_a_zeroed_weight_without_gradient_stays_zero(make):
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable('w', [2], initializer=tf.initializers.ones())
        optimizer = make(tf.train.get_or_create_global_step())
        train = optimizer.minimize(tf.reduce_sum(w * [0.0, 1.0]))
        session.run(tf.global_variables_initializer())
        session.run(train)
        variables = {v.op.name: v for v in tf.global_variables()}
        shapes = {name: tuple(v.shape.as_list()) for name, v in variables.items()}
        for name in ['w', *zeroed_slots(shapes, ['w'])]:
            session.run(tf.scatter_update(variables[name], [0], [0.0]))
        session.run(train)

        assert session.run(w)[0] == 0
