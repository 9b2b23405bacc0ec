"""Batch norm, in every form and under every flag, infers like its inference graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.graph.inference import test_conditionals as conditionals
from tf1pruning.errors import GraphError
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.surgery import verify

FEW, EPSILON, DECAY = 6, 1e-3, 0.9
IMAGE = np.random.RandomState(0).standard_normal([4, 4, 4, 3])


def layer(**options):
    return lambda x, flag: tf.layers.batch_normalization(x, training=flag, **options)


def keras(**options):
    layer = tf.keras.layers.BatchNormalization
    return lambda x, flag: layer(name='norm', **options)(x, training=flag)


def channels_first(x, flag):
    x = tf.transpose(x, [0, 3, 1, 2])
    x = tf.layers.batch_normalization(x, axis=1, training=flag, fused=False)
    return tf.transpose(x, [0, 2, 3, 1])


def twice(x, flag):
    norm = layer(fused=False)
    return norm(norm(x, flag), flag)


def variable(name, value, trainable=True):
    initializer = tf.constant_initializer(value)
    return tf.get_variable(name, [FEW], tf.float32, initializer, trainable=trainable)


def affine():
    return variable('beta', 0.0), variable('gamma', 1.0)


def averages():
    return variable('moving_mean', 0.0, False), variable('moving_variance', 1.0, False)


def move(average, value):
    return tf.assign_sub(average, (average - value) * (1 - DECAY))


def choose(flag, train, infer):
    if isinstance(flag, bool):
        return train() if flag else infer()
    return tf.cond(flag, train, infer)


def slim(x, flag):
    """Fused; the updates are in a collection."""
    beta, gamma = affine()
    mean, variance = averages()

    def fused(**given):
        return tf.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, **given)

    moving = {'mean': mean, 'variance': variance, 'is_training': False}
    y, *batch = choose(flag, fused, lambda: fused(**moving))
    if flag is not False:
        for average, value in zip((mean, variance), batch):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, move(average, value))
    return y


def updates_in_place(x, flag):
    """The statistics wait for the updates by control dependencies."""
    beta, gamma = affine()
    both = averages()

    def train():
        batch = tf.nn.moments(x, [0, 1, 2])
        with tf.control_dependencies([move(a, b) for a, b in zip(both, batch)]):
            return [tf.identity(value) for value in batch]

    moments = choose(flag, train, lambda: [a.read_value() for a in both])
    return tf.nn.batch_normalization(x, *moments, beta, gamma, EPSILON)


def keeps_dimensions(x, flag):
    """The statistics are `[1, 1, 1, c]` and their averages `[c]`."""
    beta, gamma = affine()
    both = averages()

    def train():
        batch = tf.nn.moments(x, [0, 1, 2], keep_dims=True)
        with tf.control_dependencies(
            [move(a, tf.squeeze(b)) for a, b in zip(both, batch)]
        ):
            return [tf.identity(value) for value in batch]

    def infer():
        return [tf.reshape(a.read_value(), [1, 1, 1, FEW]) for a in both]

    moments = choose(flag, train, infer)
    return tf.nn.batch_normalization(x, *moments, beta, gamma, EPSILON)


def assigned_as_a_whole(x, flag):
    """`average = average * decay + value * (1 - decay)`, and the formula by hand."""
    beta, gamma = affine()
    both = averages()

    def train():
        mean = tf.reduce_mean(x, [0, 1, 2])
        batch = [mean, tf.reduce_mean(tf.square(x - mean), [0, 1, 2])]
        new = [a * DECAY + b * (1 - DECAY) for a, b in zip(both, batch)]
        with tf.control_dependencies([tf.assign(a, n) for a, n in zip(both, new)]):
            return [tf.identity(value) for value in batch]

    mean, variance = choose(flag, train, lambda: [a.read_value() for a in both])
    return (x - mean) / tf.sqrt(variance + EPSILON) * gamma + beta


def shadows(zero_debias):
    """The averages are those of `tf.train.ExponentialMovingAverage`."""

    def build(x, flag):
        beta, gamma = affine()
        batch = tf.nn.moments(x, [0, 1, 2])
        average = tf.train.ExponentialMovingAverage(DECAY, zero_debias=zero_debias)
        apply = average.apply(batch)

        def train():
            with tf.control_dependencies([apply]):
                return [tf.identity(value) for value in batch]

        moments = choose(flag, train, lambda: [average.average(b) for b in batch])
        return tf.nn.batch_normalization(x, *moments, beta, gamma, EPSILON)

    return build


FORMS = {
    'fused': layer(fused=True),
    'unfused': layer(fused=False),
    'no momentum': layer(momentum=0.0),
    'no scale, no center': layer(fused=False, scale=False, center=False),
    'channels first': channels_first,
    'twice': twice,
    'keras': keras(),
    'keras unfused': keras(fused=False),
    'slim': slim,
    'updates in place': updates_in_place,
    'keeps dimensions': keeps_dimensions,
    'assigned as a whole': assigned_as_a_whole,
    'shadows': shadows(zero_debias=False),
    'shadows without bias': shadows(zero_debias=True),
}
ONLY_BY_FLAG = {
    'renormalization': layer(renorm=True),
    'virtual batches': layer(fused=False, virtual_batch_size=2),
}


def graph_of(form, flag, resource):
    """A convolution, the batch norm, another one, and the optimizer in training."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], 'input')
        with tf.variable_scope('', use_resource=resource):
            flag = flag() if callable(flag) else flag
            x = form(networks.conv(x, FEW, 3, name='first'), flag)
            x = tf.identity(networks.conv(tf.nn.relu(x), 4, name='second'), 'output')
            if flag is not False:
                train(x)
    return graph


def train(output):
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        # Plain subtraction of gradients must not pass for an average.
        weights = tf.trainable_variables()
        for gradient, weight in zip(tf.gradients(output, weights), weights):
            tf.assign_sub(weight, 0.1 * gradient + 0.01 * weight)


def arrays_of(graph):
    arrays = networks.random_arrays(graph)
    is_variance = {k: 'variance' in k or 'Squeeze_1' in k for k in arrays}
    return {k: np.abs(v) + 0.5 if is_variance[k] else v for k, v in arrays.items()}


def answer(model, arrays):
    given = {v.node: arrays[v.key] for v in model.variables}
    return verify.run(freeze(model, given), model.outputs, {'input': IMAGE})[0]


def check(form, flag, resource):
    """Compares with TensorFlow's own run of the graph that was built to infer."""
    training = graph_of(form, flag, resource)
    arrays = arrays_of(training)

    found = answer(networks.model_of(training), arrays)

    written = graph_of(form, False, resource)
    with tf.Session(graph=written) as session:
        for each in written.get_collection(tf.GraphKeys.GLOBAL_VARIABLES):
            each.load(arrays[each.op.name], session)
        expected = session.run('output:0', {'input:0': IMAGE})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('form', list(FORMS))
def test_batch_norm_in_training_mode_uses_its_averages(form, resource):
    check(FORMS[form], True, resource)


@pytest.mark.parametrize('form', [*FORMS, *ONLY_BY_FLAG])
def test_batch_norm_under_a_flag_uses_its_averages(form):
    check({**FORMS, **ONLY_BY_FLAG}[form], conditionals.placeholder, resource=False)


@pytest.mark.parametrize('form', [*FORMS, *ONLY_BY_FLAG])
def test_batch_norm_under_a_flag_of_control_flow_v2_uses_its_averages(form):
    tf.enable_control_flow_v2()
    try:
        check({**FORMS, **ONLY_BY_FLAG}[form], conditionals.placeholder, resource=True)
    finally:
        tf.disable_control_flow_v2()


@pytest.mark.parametrize(
    ('form', 'message'),
    [
        ('renormalization', r"'\S*moments/mean' is averaged by 2 variables"),
        ('virtual batches', r"statistics '\S*moments/variance' in an unknown"),
    ],
)
def test_a_form_that_is_not_known_is_refused_by_name(form, message):
    with pytest.raises(GraphError, match=message):
        networks.model_of(graph_of(ONLY_BY_FLAG[form], True, resource=False))


def test_a_statistic_of_unknown_shape_is_refused_by_name():
    def build(x, flag):
        return keeps_dimensions(tf.placeholder_with_default(x, [None] * 4), flag)

    with pytest.raises(GraphError, match=r"'moments/\S*:0' has the shape .*None"):
        networks.model_of(graph_of(build, True, resource=False))


def test_two_averages_of_one_batch_statistic_are_an_error():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, FEW], 'input')
        mean = tf.reduce_mean(x, 0, name='moment')
        for name in ('fast', 'slow'):
            move(variable(name, 0.0, trainable=False), mean)
        tf.subtract(x, mean, name='output')

    with pytest.raises(GraphError, match=r"'moment' is averaged by 2.*'fast', 'slow'"):
        networks.model_of(graph)


def test_a_copy_of_the_last_batch_statistic_is_no_average():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, FEW], 'input')
        mean = tf.reduce_mean(x, 0)
        tf.assign(variable('last', 0.0, trainable=False), mean)
        tf.subtract(x, mean, name='output')

    assert networks.model_of(graph).variables == ()
