"""A training flag is decided, whatever its form, and its conditionals go."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels import groups, trace
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.surgery import verify


def placeholder():
    return tf.placeholder(tf.bool, [], 'is_training')


def placeholder_with_default():
    return tf.placeholder_with_default(True, [], 'is_training')


def derived():
    flag = tf.placeholder(tf.bool, [], 'is_training')
    return tf.logical_and(tf.identity(flag), tf.constant(True))


def inverted():
    return tf.logical_not(tf.placeholder(tf.bool, [], 'is_inference'))


def mode():
    return tf.equal(tf.placeholder(tf.string, [], 'mode'), 'train')


def not_the_mode():
    return tf.not_equal(tf.placeholder_with_default(0, [], 'mode'), 2)


def variable():
    return tf.get_variable('flag', [], tf.bool, tf.zeros_initializer(), trainable=False)


FLAGS = (
    placeholder,
    placeholder_with_default,
    derived,
    inverted,
    variable,
    mode,
    not_the_mode,
)


def net(x, training, fused=True):
    x = networks.conv(x, 6, 3, name='first', use_bias=False)
    x = tf.layers.batch_normalization(x, training=training, fused=fused, name='norm')
    x = tf.layers.dropout(tf.nn.relu(x), 0.5, training=training)
    x = tf.reduce_mean(networks.conv(x, 4, name='second'), [1, 2])
    x = tf.keras.layers.Dropout(0.3)(x, training=training)
    return tf.identity(x, name='output')


def graph_of(training, resource=False, **options):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        with tf.variable_scope('', use_resource=resource):
            net(x, training() if callable(training) else training, **options)
    return graph


def answers(model, arrays):
    image = np.random.RandomState(0).standard_normal([3, 8, 8, 3])
    given = {v.node: arrays[v.key] for v in model.variables}
    return verify.run(freeze(model, given), model.outputs, {'input': image})[0]


@pytest.mark.parametrize(
    ('fused', 'resource'), [(True, False), (False, False), (False, True)]
)
@pytest.mark.parametrize('flag', FLAGS)
def test_a_flag_gives_exactly_the_answers_of_the_inference_graph(flag, fused, resource):
    training = graph_of(flag, resource, fused=fused)
    written = graph_of(False, resource, fused=fused)
    arrays = networks.random_arrays(training)

    model = networks.model_of(training)

    assert model.inputs == ('input',)
    assert not {'Switch', 'Merge'} & {n.op for n in model.graph_def.node}
    expected = answers(networks.model_of(written), arrays)
    np.testing.assert_array_equal(answers(model, arrays), expected)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize('flag', FLAGS)
def test_the_channels_of_such_a_network_are_followed(flag):
    model = networks.model_of(graph_of(flag))

    found = {g.name: g.frozen for g in groups.find_groups(trace.trace(model))}

    assert found == {'first': False, 'second': True}


def test_keras_under_its_learning_phase_is_the_inference_graph():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph):
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Conv2D(6, 3, input_shape=(8, 8, 3), name='conv'),
                tf.keras.layers.BatchNormalization(name='norm'),
                tf.keras.layers.ReLU(),
                tf.keras.layers.SpatialDropout2D(0.2),
                tf.keras.layers.GaussianNoise(0.1),
                tf.keras.layers.Flatten(),
                tf.keras.layers.Dropout(0.4),
                tf.keras.layers.Dense(3, name='dense'),
            ]
        )
        model.compile('sgd', 'mse')
        model.train_on_batch(np.ones([4, 8, 8, 3]), np.ones([4, 3]))
        image = np.random.RandomState(1).standard_normal([2, 8, 8, 3])
        expected = model.predict(image)
        name = model.outputs[0].op.name
        arrays = dict(zip((w.op.name for w in model.weights), model.get_weights()))
        meta_graph = tf.train.export_meta_graph(graph=graph)

    found = derivation.derive(meta_graph, [name])

    given = {v.node: arrays[v.key] for v in found.variables}
    feeds = {found.inputs[0]: image}
    result = verify.run(freeze(found, given), found.outputs, feeds)[0]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_an_output_that_is_a_conditional_keeps_its_name():
    def build(flag):
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        tf.keras.layers.Dropout(0.5, name='last')(x, training=flag)

    with tf.Graph().as_default() as graph:
        build(placeholder())
    (name,) = [n.name for n in graph.as_graph_def().node if n.op == 'Merge']

    model = networks.model_of(graph, [name])

    assert model.outputs == (name,)
    found = verify.run(model.graph_def, [name], {'input': np.ones([2, 3])})[0]
    assert found.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_an_input_map_may_name_a_choice_of_two_pipelines():
    with tf.Graph().as_default() as graph:
        batches = [
            tf.data.make_one_shot_iterator(tf.data.Dataset.from_tensors([1.0]))
            for _ in range(2)
        ]
        x = tf.cond(placeholder(), batches[0].get_next, batches[1].get_next)
        tf.add(x, 1.0, name='output')
    meta_graph = tf.train.export_meta_graph(graph=graph)

    model = derivation.derive(meta_graph, ['output'], {'cond/Merge:0': 'image'})

    assert model.inputs == ('image',)
    found = verify.run(model.graph_def, ['output'], {'image': np.array([2.0])})[0]
    assert found.tolist() == [3.0]


def test_a_mode_that_chooses_between_two_networks_stays():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8], 'input')
        task = tf.equal(tf.placeholder(tf.int32, [], 'task'), 1)
        x = tf.cond(task, lambda: tf.nn.relu(x), lambda: tf.nn.elu(x))
        tf.identity(x, name='output')

    model = networks.model_of(graph)

    assert model.inputs == ('input', 'task')


def test_a_condition_on_the_input_stays_and_its_channels_are_followed():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        y = networks.conv(x, 6, name='first')
        y = tf.cond(
            tf.reduce_mean(x) > 0, lambda: tf.nn.relu(y), lambda: tf.nn.relu6(y)
        )
        y = networks.conv(y, 4, name='second')
        y = networks.conv(y, 4, name='third')
        tf.identity(y, name='output')
    model = networks.model_of(graph)

    found = {g.name: g for g in groups.find_groups(trace.trace(model))}

    assert any(node.op == 'Switch' for node in model.graph_def.node)
    reads = [place.variable for place in found['first'].places]
    assert reads == ['first/kernel', 'first/bias', 'second/kernel']
    assert not found['first'].frozen
    assert not found['second'].frozen
