from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tf1pruning.training import graph_variables


def writers(variable):
    found = graph_variables.find_writers(variable.op, variable.initializer)
    return sorted((writer.op.type, writer.in_loop) for writer in found)


@pytest.mark.parametrize('resource', [False, True])
def test_the_optimizer_writes_and_initializer_and_saver_do_not(resource):
    with tf.Graph().as_default():
        hooked.build(resource=resource)
        tf.train.Saver()
        variable = tf.global_variables('a/kernel:0')[0]
        tf.summary.histogram('norms', variable)

        expected = 'ResourceApplyMomentum' if resource else 'ApplyMomentum'
        assert writers(variable) == [(expected, False)]


@pytest.mark.parametrize('resource', [False, True])
def test_the_initializer_of_a_warm_start_does_not_count(tmp_path, resource):
    with tf.Graph().as_default(), tf.Session() as session:
        hooked.build()
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
    with tf.Graph().as_default():
        hooked.build(resource=resource)
        tf.train.init_from_checkpoint(prefix, {'a/': 'a/'})
        variable = tf.global_variables('a/kernel:0')[0]
        setter = variable.initializer
        setter = setter.op if isinstance(setter, tf.Tensor) else setter

        found = [
            w.op
            for w in graph_variables.find_writers(variable.op, variable.initializer)
        ]

    # The first initializer, which nothing runs any more, does.
    assert setter not in found
    assert sorted(op.type[:6] for op in found) in (
        ['ApplyM', 'Assign'],
        ['Assign', 'Resour'],
    )


@pytest.mark.parametrize('resource', [False, True])
def test_writers_in_conditionals_and_loops_are_found(resource):
    with tf.Graph().as_default(), tf.variable_scope('', use_resource=resource):
        variable = tf.get_variable('w', [2])

        def add():
            return tf.group(tf.assign_add(variable, [1.0, 1.0]))

        def body(turn):
            with tf.control_dependencies([tf.assign_sub(variable, [1.0, 1.0])]):
                return turn + 1

        tf.cond(tf.placeholder(tf.bool, []), add, tf.no_op)
        tf.while_loop(lambda turn: turn < 3, body, [0])

        suffix = 'VariableOp' if resource else ''
        expected = [(f'AssignAdd{suffix}', False), (f'AssignSub{suffix}', True)]
        assert writers(variable) == expected


def test_parts_are_put_under_the_name_of_the_whole():
    with tf.Graph().as_default():
        hooked.build(partitioner=tf.fixed_size_partitioner(2))
        parts = graph_variables.by_key(tf.global_variables())

    assert [part.offset for part in parts['a/kernel']] == [(0, 0), (2, 0)]
    assert [part.shape for part in parts['a/kernel/Momentum']] == [(2, 4), (1, 4)]
    assert graph_variables.shapes_of(parts)['a/kernel'] == (3, 4)


def test_the_slots_of_planned_variables_are_found():
    with tf.Graph().as_default():
        hooked.build()
        tf.get_variable('other', [2])
        parts = graph_variables.by_key(tf.global_variables())

        found = graph_variables.find_slots(parts, hooked.plan(mode='filter'))

    assert found == {'a/kernel/Momentum': 'a/kernel'}


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('parts', [1, 2])
def test_what_an_optimizer_of_any_name_divides_by_is_not_zeroed(resource, parts):
    with tf.Graph().as_default():
        hooked.build(
            tf.train.AdagradDAOptimizer(
                0.1, tf.train.get_or_create_global_step(), name='Mine'
            ),
            resource=resource,
            partitioner=tf.fixed_size_partitioner(parts) if parts > 1 else None,
        )
        variables = graph_variables.by_key(tf.global_variables())

        found = graph_variables.find_slots(variables, hooked.plan(mode='filter'))

    assert 'a/kernel/Mine_1' in variables
    assert found == {'a/kernel/Mine': 'a/kernel'}
