from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.graph import lint, nodes, rewrite
from tf1pruning.graph.rewrite import NewSize, Resizing
from tf1pruning.names import TensorRef


def model_of(build, resource=False):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6], 'input')
        with tf.variable_scope('', use_resource=resource):
            tf.identity(build(x), name='output')
        return networks.model_of(graph)


def two_reshapes(x):
    """Two ops read the one constant `shape`."""
    shape = tf.constant([-1, 2, 3], name='shape')
    left = tf.reshape(x, shape, name='left')
    return left + tf.reshape(x * 2.0, shape, name='right')


def node(model, name):
    return next(n for n in model.graph_def.node if n.name == name)


@pytest.mark.parametrize('resource', [False, True])
def test_a_variable_gets_its_new_shape_in_graph_and_model(resource):
    model = model_of(
        lambda x: tf.matmul(x, tf.get_variable('w', [6, 4])), resource=resource
    )

    new = rewrite.resize(model, Resizing({'w': (6, 3)}))

    assert [d.size for d in node(new, 'w').attr['shape'].shape.dim] == [6, 3]
    assert [(v.shape, v.full_shape) for v in new.variables] == [((6, 3), (6, 3))]
    assert new.view().shape(TensorRef('output', 0)) == (None, 3)
    assert (new.inputs, new.outputs) == (model.inputs, model.outputs)


def test_the_old_model_is_not_changed():
    model = model_of(lambda x: tf.matmul(x, tf.get_variable('w', [6, 4])))
    before = model.graph_def.SerializeToString(deterministic=True)

    rewrite.resize(model, Resizing({'w': (6, 3)}))

    assert model.graph_def.SerializeToString(deterministic=True) == before
    assert model.variables[0].shape == (6, 4)


def test_shapes_that_a_saver_left_are_dropped():
    model = model_of(lambda x: tf.matmul(x, tf.get_variable('w', [6, 4])))
    assert any('_output_shapes' in n.attr for n in model.graph_def.node)

    new = rewrite.resize(model, Resizing())

    assert not any('_output_shapes' in n.attr for n in new.graph_def.node)


def test_a_constant_that_acts_as_a_weight_gets_its_new_value():
    weights = np.arange(12, dtype=np.float32).reshape(6, 2)
    model = model_of(lambda x: tf.matmul(x, tf.constant(weights, name='w')))

    new = rewrite.resize(model, Resizing(constants={'w': weights[:, :1]}))

    np.testing.assert_array_equal(nodes.constant_value(node(new, 'w')), weights[:, :1])
    assert new.view().shape(TensorRef('output', 0)) == (None, 1)


def test_each_reader_of_a_size_gets_a_constant_of_its_own():
    model = model_of(two_reshapes)

    new = rewrite.resize(model, Resizing(sizes=[NewSize('left', 1, 'shape', 2, 5)]))

    assert list(node(new, 'left').input) == ['input', 'left/stripped_1']
    assert node(new, 'right').input[1] == 'shape'
    values = nodes.constant_value(node(new, 'left/stripped_1'))
    assert values.tolist() == [-1, 2, 5]
    assert nodes.constant_value(node(new, 'shape')).tolist() == [-1, 2, 3]


def test_several_elements_of_one_size_vector_change_together():
    model = model_of(two_reshapes)
    sizes = [NewSize('left', 1, 'shape', 1, 3), NewSize('left', 1, 'shape', 2, 2)]

    new = rewrite.resize(model, Resizing(sizes=sizes))

    values = nodes.constant_value(node(new, 'left/stripped_1'))
    assert values.tolist() == [-1, 3, 2]
    assert values.dtype == np.int32


def test_a_new_constant_stands_before_its_reader_and_takes_a_free_name():
    def build(x):
        x = tf.add(x, 1.0, name='left/stripped_1')
        return tf.reshape(x, tf.constant([-1, 2, 3], name='shape'), name='left')

    model = model_of(build)

    new = rewrite.resize(model, Resizing(sizes=[NewSize('left', 1, 'shape', 1, 3)]))

    order = [n.name for n in new.graph_def.node]
    assert order.index('left/stripped_1_1') < order.index('left')
    assert node(new, 'left').input[1] == 'left/stripped_1_1'


def test_a_scalar_size_changes_too():
    def build(x):
        shape = tf.stack([tf.shape(x)[0], 2, 3], name='sizes')
        return tf.reshape(x, shape)

    model = model_of(build)

    new = rewrite.resize(
        model,
        Resizing(
            sizes=[
                NewSize('sizes', 1, 'sizes/1', 0, 3),
                NewSize('sizes', 2, 'sizes/2', 0, 2),
            ]
        ),
    )

    assert lint.check(new.graph_def, {'output': (None, 3, 2)}) is None
