from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import tracing
from tf1pruning.channels import trace as trace_lib


def kinds(build):
    return {name: group.kind for name, group in tracing.groups_of(build).items()}


def head(x):
    return tf.reduce_mean(networks.conv(x, 2, name='head'), [1, 2])


def bottleneck(activation=tf.nn.relu6, size=1, after=tf.identity, gate=tf.identity):
    def build(x):
        x = activation(networks.conv(x, 12, size, name='expand'))
        x = activation(networks.depthwise(x))
        x = networks.conv(gate(x), 4, name='project')
        return head(after(x))

    return build


def squeeze_excite(pool, layer, gate=tf.sigmoid, activation=tf.nn.relu):
    def apply(x):
        width = x.shape.as_list()[-1]
        y = activation(layer(pool(x), 3, 'squeeze'))
        y = gate(layer(y, width, 'excite'))
        return x * (y if y.shape.rank == 4 else tf.reshape(y, [-1, 1, 1, width]))

    return apply


def mean(x):
    return tf.reduce_mean(x, [1, 2], keepdims=True)


def global_average(x):
    return tf.nn.avg_pool2d(x, x.shape[1:3], 1, 'VALID')


def flat_mean(x):
    return tf.reduce_mean(x, [1, 2])


def flat_average(x):
    return tf.reshape(global_average(x), [-1, x.shape.as_list()[-1]])


def conv(x, width, name):
    return networks.conv(x, width, name=name)


def dense(x, width, name):
    return tf.layers.dense(x, width, name=name)


def hard_sigmoid(x):
    return tf.nn.relu6(x + 3.0) / 6.0


@pytest.mark.parametrize(
    'activation', [*networks.ACTIVATIONS.values(), tf.nn.swish, tf.nn.leaky_relu]
)
def test_an_inverted_residual_is_found_with_every_activation(activation):
    found = kinds(bottleneck(activation))

    assert found == {'expand': 'inverted_residual', 'project': 'plain', 'head': 'plain'}


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('se', [False, True])
def test_a_whole_network_has_these_kinds(resource, se):
    graph = networks.inverted_residual_net(resource=resource, squeeze_excite=se)

    groups = tracing.by_name(trace_lib.trace(networks.model_of(graph)))

    expected = {
        'net/Conv/conv': 'residual',
        'net/expanded_conv_1': 'inverted_residual',
        'SE1': 'squeeze_excite',
        'Logits/dense': 'dense',
    }
    if not se:
        del expected['SE1']
    assert {name: g.kind for name, g in groups.items()} == expected


def test_an_activation_behind_the_projection_makes_it_no_inverted_residual():
    found = kinds(bottleneck(after=tf.nn.relu))

    assert 'inverted_residual' not in found.values()


def test_a_wide_expansion_makes_it_no_inverted_residual():
    found = kinds(bottleneck(size=3))

    assert 'inverted_residual' not in found.values()


def test_a_gate_for_each_column_is_no_squeeze_and_excite():
    def columns(x):
        return tf.nn.avg_pool2d(x, [x.shape[1], 1], 1, 'VALID')

    found = kinds(
        lambda x: head(squeeze_excite(columns, conv)(networks.conv(x, 8, name='a')))
    )

    assert 'squeeze_excite' not in found.values()


def test_mobilenet_v1_has_no_inverted_residuals():
    def build(x):
        for i in range(3):
            x = tf.nn.relu(networks.conv(x, 8, name=f'point{i}'))
            with tf.variable_scope(f'depth{i}'):
                x = tf.nn.relu(networks.depthwise(x))
        return head(tf.nn.relu(networks.conv(x, 8, name='point')))

    found = kinds(build)

    assert set(found.values()) == {'plain'}


@pytest.mark.parametrize('gate', [tf.sigmoid, hard_sigmoid])
@pytest.mark.parametrize('pool', [mean, global_average])
def test_squeeze_and_excite_inside_an_inverted_residual(pool, gate):
    found = kinds(bottleneck(gate=squeeze_excite(pool, conv, gate)))

    assert sorted(found.values()) == [
        'inverted_residual',
        'plain',
        'plain',
        'squeeze_excite',
    ]
    assert found['squeeze'] == 'squeeze_excite'


@pytest.mark.parametrize(
    ('pool', 'layer'),
    [(mean, conv), (global_average, conv), (flat_mean, dense), (flat_average, dense)],
)
@pytest.mark.parametrize(
    'activation', [*networks.ACTIVATIONS.values(), tf.nn.swish, tf.nn.elu]
)
def test_squeeze_and_excite_behind_a_convolution(pool, layer, activation):
    apply = squeeze_excite(pool, layer, activation=activation)

    found = kinds(lambda x: head(apply(networks.conv(x, 8, name='a'))))

    assert found['squeeze'] == 'squeeze_excite'
    assert found['a'] == 'residual'


def test_pooling_of_a_window_is_no_squeeze():
    def local(x):
        return tf.nn.avg_pool2d(x, 3, 1, 'SAME')

    apply = squeeze_excite(local, conv)

    found = kinds(lambda x: head(apply(networks.conv(x, 8, name='a'))))

    assert 'squeeze_excite' not in found.values()


def test_a_gate_on_another_tensor_than_the_pooled_is_no_squeeze_and_excite():
    def build(x):
        other = networks.conv(x, 8, name='other')
        y = tf.nn.relu(conv(mean(networks.conv(x, 8, name='a')), 3, 'squeeze'))
        return head(other * tf.sigmoid(conv(y, 8, 'excite')))

    assert kinds(build)['squeeze'] == 'plain'


def test_two_dense_layers_behind_a_global_pool_are_dense():
    def build(x):
        x = tf.nn.relu(dense(flat_mean(networks.conv(x, 8, name='a')), 6, 'hidden'))
        return dense(x, 2, 'logits')

    found = kinds(build)

    assert found == {'a': 'plain', 'hidden': 'dense', 'logits': 'dense'}
