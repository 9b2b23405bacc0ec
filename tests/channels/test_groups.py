from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import tracing
from tf1pruning.channels import blocks
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib


def head(x):
    return tf.reduce_mean(networks.conv(x, 2, name='head'), [1, 2])


def place(group, variable, axis):
    return next(p for p in group.places if (p.variable, p.axis) == (variable, axis))


def test_an_inverted_residual_block_has_these_places():
    graph = networks.inverted_residual_net()
    trace = trace_lib.trace(networks.model_of(graph))

    group = tracing.by_name(trace)['net/expanded_conv_1']

    assert group.kind == blocks.INVERTED_RESIDUAL
    assert group.width == 24
    scope = 'net/expanded_conv_1'
    assert [(p.variable, p.axis, p.role) for p in group.places] == [
        (f'{scope}/expand/conv/kernel', 3, 'producer'),
        (f'{scope}/expand/BatchNorm/gamma', 0, 'scale'),
        (f'{scope}/expand/BatchNorm/beta', 0, 'bias'),
        (f'{scope}/expand/BatchNorm/moving_mean', 0, 'statistic'),
        (f'{scope}/expand/BatchNorm/moving_variance', 0, 'statistic'),
        (f'{scope}/depthwise/weights', 2, 'producer'),
        (f'{scope}/depthwise/BatchNorm/gamma', 0, 'scale'),
        (f'{scope}/depthwise/BatchNorm/beta', 0, 'bias'),
        (f'{scope}/depthwise/BatchNorm/moving_mean', 0, 'statistic'),
        (f'{scope}/depthwise/BatchNorm/moving_variance', 0, 'statistic'),
        (f'{scope}/project/conv/kernel', 2, 'consumer'),
    ]
    for found in group.places:
        assert found.positions.tolist() == [[c] for c in range(24)]


def test_both_ends_of_a_shortcut_are_producers_of_one_group():
    graph = networks.inverted_residual_net()
    groups = tracing.by_name(trace_lib.trace(networks.model_of(graph)))

    makers = [
        p.variable for p in groups['net/Conv/conv'].places if p.role == 'producer'
    ]

    assert makers == [
        'net/Conv/conv/kernel',
        'net/expanded_conv_1/project/conv/kernel',
        'SE1/expand/kernel',
    ]


def test_groups_come_in_graph_order():
    graph = networks.inverted_residual_net()

    found = groups_lib.find_groups(trace_lib.trace(networks.model_of(graph)))

    assert [(g.name, g.kind, g.width) for g in found] == [
        ('net/Conv/conv', 'residual', 8),
        ('net/expanded_conv_1', 'inverted_residual', 24),
        ('SE1', 'squeeze_excite', 4),
        ('Logits/dense', 'dense', 5),
    ]


def test_the_model_output_is_frozen():
    groups = tracing.groups_of(lambda x: head(networks.conv(x, 4, name='a')))

    assert groups['head'].reasons == ('is a model output',)
    assert groups['head'].frozen
    assert not groups['a'].frozen


def test_flattening_gives_a_channel_one_entry_per_pixel():
    def build(x):
        x = tf.layers.flatten(networks.conv(x, 4, name='a'))
        return tf.layers.dense(x, 2, name='dense')

    group = tracing.groups_of(build, size=7)['a']

    reads = place(group, 'dense/kernel', 0)
    assert reads.role == 'consumer'
    assert reads.positions.shape == (4, 49)
    assert reads.positions[1].tolist() == list(range(1, 196, 4))


def test_a_depthwise_multiplier_gives_neighbouring_entries():
    def build(x):
        x = networks.conv(x, 3, name='a', use_bias=False)
        return head(networks.depthwise(x, multiplier=2))

    group = tracing.groups_of(build)['a']

    assert place(group, 'weights', 2).positions.tolist() == [[0], [1], [2]]
    assert place(group, 'head/kernel', 2).positions.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_concat_shifts_the_second_part():
    def build(x):
        parts = [networks.conv(x, 3, name='a'), networks.conv(x, 2, name='b')]
        return head(tf.concat(parts, -1))

    groups = tracing.groups_of(build)

    assert place(groups['a'], 'head/kernel', 2).positions.tolist() == [[0], [1], [2]]
    assert place(groups['b'], 'head/kernel', 2).positions.tolist() == [[3], [4]]


def halves(x):
    """Layer `whole` is added to the concat of `a` and `b`."""
    whole = networks.conv(x, 5, name='whole')
    parts = [networks.conv(x, 3, name='a'), networks.conv(x, 2, name='b')]
    return head(tf.add(whole, tf.concat(parts, -1)))


def test_channels_of_one_layer_that_live_in_other_places_are_two_groups():
    groups = tracing.groups_of(halves)

    assert [(name, g.width) for name, g in groups.items()] == [
        ('whole', 3),
        ('whole#2', 2),
        ('head', 2),
    ]
    assert place(groups['whole'], 'a/kernel', 3).positions.tolist() == [[0], [1], [2]]
    second = groups['whole#2']
    assert place(second, 'b/kernel', 3).positions.tolist() == [[0], [1]]
    assert place(second, 'whole/kernel', 3).positions.tolist() == [[3], [4]]


def test_a_part_of_a_layer_that_is_read_alone_is_no_concat():
    def build(x):
        left, right = tf.split(networks.conv(x, 5, name='a'), [3, 2], -1)
        return head(left) + tf.reduce_mean(networks.conv(right, 2, name='b'), [1, 2])

    groups = tracing.groups_of(build)

    assert (groups['a'].kind, groups['a#2'].kind) == ('plain', 'plain')


def test_channels_that_are_frozen_for_other_reasons_are_other_groups():
    def build(x):
        whole = networks.conv(x, 5, name='whole')
        return head(tf.add(whole, tf.concat([x, networks.conv(x, 2, name='b')], -1)))

    groups = tracing.groups_of(build)

    assert groups['whole'].width == 3
    assert groups['whole'].frozen
    assert groups['whole#2'].width == 2
    assert not groups['whole#2'].frozen


def test_a_layer_whose_rule_gave_up_comes_last_and_is_frozen():
    def build(x):
        kernel = tf.get_variable('up/kernel', [2, 2, 4, 3])
        shape = tf.cumsum(tf.constant([2, 6, 0, -4]))
        x = tf.nn.conv2d_transpose(x, kernel, shape, 2, 'SAME', name='up')
        return head(networks.conv(x, 5, name='a'))

    groups = tracing.groups_of(build, size=4)

    assert list(groups) == ['a', 'head', 'up']
    assert groups['up'].reasons == ("reaches 'up': a computed shape",)


def test_channels_follow_the_order_of_the_first_producer():
    def build(x):
        whole = networks.conv(x, 4, name='whole')
        parts = [networks.conv(x, 2, name='a'), networks.conv(x, 2, name='b')]
        swapped = tf.concat(parts[::-1], -1)
        return head(tf.concat([whole, swapped + tf.concat(parts, -1)], -1))

    group = tracing.groups_of(build)['b']

    # Channel i of `a` meets channel i of `b`, in both orders.
    assert place(group, 'a/kernel', 3).positions.tolist() == [[0], [1]]
    assert place(group, 'b/kernel', 3).positions.tolist() == [[0], [1]]
    assert place(group, 'head/kernel', 2).positions.tolist() == [[4, 6], [5, 7]]


def test_they_do_so_where_a_vector_in_another_order_comes_first():
    def build(x):
        vector = tf.get_variable('vector', [4])
        return head(tf.gather(vector, [2, 0, 3, 1]) + networks.conv(x, 4, name='a'))

    group = tracing.groups_of(build)['a']

    assert place(group, 'a/kernel', 3).positions.tolist() == [[0], [1], [2], [3]]


def test_a_constant_beside_variables_is_kept():
    def build(x):
        x = networks.conv(x, 2, name='a')
        return head(x * tf.constant([0.5, 2.0], name='scale'))

    group = tracing.groups_of(build)['a']

    assert {p.variable: p.is_kept for p in group.places} == {
        'a/kernel': False,
        'a/bias': False,
        'scale': True,
        'head/kernel': False,
    }


@pytest.mark.parametrize('ops', [(tf.add, tf.multiply), (tf.multiply, tf.add)])
def test_a_vector_that_scales_and_shifts_is_a_scale(ops):
    def build(x):
        x, vector = networks.conv(x, 2, name='a'), tf.get_variable('vector', [2])
        return head(ops[1](ops[0](x, vector), vector))

    group = tracing.groups_of(build)['a']

    assert place(group, 'vector', 0).role == 'scale'


def test_a_vector_that_is_not_trained_is_a_statistic():
    def build(x):
        mean = tf.get_variable('mean', [2], trainable=False)
        return head(networks.conv(x, 2, name='a') - mean)

    assert place(tracing.groups_of(build)['a'], 'mean', 0).role == 'statistic'


def test_a_partitioned_kernel_is_pruned_like_any_other():
    def build(x):
        x = networks.conv(x, 6, name='before')
        partitioner = tf.fixed_size_partitioner(2, axis=3)
        kernel = tf.get_variable('a/kernel', [1, 1, 6, 4], partitioner=partitioner)
        x = tf.nn.conv2d(x, kernel, 1, 'SAME', name='a')
        return head(networks.conv(x, 5, name='b'))

    groups = tracing.groups_of(build)

    assert {name: (g.width, g.frozen) for name, g in groups.items()} == {
        'before': (6, False),
        'a': (4, False),
        'b': (5, False),
        'head': (2, True),
    }


@pytest.mark.parametrize(
    ('scope', 'expected'),
    [('whole', True), ('whole#2', True), ('', True), ('who', False), ('b', False)],
)
def test_a_group_is_found_by_its_name_or_its_first_producer(scope, expected):
    group = tracing.groups_of(halves)['whole#2']

    assert group.in_scope(scope) is expected
