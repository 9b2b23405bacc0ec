from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import optimizers


def divisors(make, resource=False, parts=1, scope=''):
    """Of a graph that trains `w`, an embedding `e`, and `w` again in a branch."""
    with tf.Graph().as_default() as graph, tf.variable_scope('', use_resource=resource):
        partitioner = tf.fixed_size_partitioner(parts) if parts > 1 else None
        w = tf.get_variable('w', [4], partitioner=partitioner)
        e = tf.get_variable('e', [4, 2])
        loss = tf.reduce_sum(tf.gather(e, [1])) + tf.reduce_sum(tf.identity(w))
        optimizer = make(tf.train.get_or_create_global_step())
        with tf.variable_scope(scope):
            tf.cond(
                tf.placeholder(tf.bool, []),
                lambda: optimizer.minimize(loss),
                tf.no_op,
            )
        return optimizers.divisors(tf.train.export_meta_graph(graph=graph))


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('parts', [1, 2])
@pytest.mark.parametrize(
    ('make', 'names'),
    [
        (lambda step: tf.train.AdagradOptimizer(0.1, name='Mine'), 'Mine'),
        (lambda step: tf.train.ProximalAdagradOptimizer(0.1, name='Mine'), 'Mine'),
        (lambda step: tf.train.AdagradDAOptimizer(0.1, step, name='Mine'), 'Mine_1'),
    ],
)
def test_sums_are_known_by_the_ops_that_divide_by_them(make, names, resource, parts):
    found = divisors(make, resource, parts)

    assert found == {f'w/{names}', f'e/{names}'}


@pytest.mark.parametrize(
    'make',
    [
        lambda step: tf.train.AdamOptimizer(0.1),
        lambda step: tf.train.RMSPropOptimizer(0.1, centered=True),
        lambda step: tf.train.FtrlOptimizer(0.1),
        lambda step: tf.train.AdadeltaOptimizer(0.1),
    ],
)
def test_what_is_safe_at_zero_is_no_divisor(make):
    assert divisors(make) == frozenset()
