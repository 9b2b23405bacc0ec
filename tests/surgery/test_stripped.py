from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning import plan_json
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels.trace import trace
from tf1pruning.errors import PlanError
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.surgery.choice import Verdict

TOLERANCE = 1e-5
BLOCK = 'net/expanded_conv_1'
PLANNED = {BLOCK: [0, 1, 5, 9, 12, 14, 20, 23], 'SE1': [1]}


def shapes(stripped):
    return {name: array.shape for name, array in stripped.arrays.items()}


def assert_exact(outcome):
    """Stripping changed nothing, and soft pruning did (else it proves nothing)."""
    assert outcome.soft_to_stripped <= TOLERANCE
    assert outcome.unpruned_to_soft > 100 * TOLERANCE


# -- a plan ------------------------------------------------------------------------


@pytest.mark.parametrize('resource', [False, True], ids=['ref', 'resource'])
@pytest.mark.parametrize('mode', ['block', 'filter'])
@pytest.mark.parametrize('activation', ['relu', 'relu6', 'swish', 'hard_swish'])
def test_blocks_are_stripped_exactly(activation, mode, resource):
    graph = networks.inverted_residual_net(activation=activation, resource=resource)
    net = nets.net_of(graph)

    outcome = nets.prune_and_strip(net, net.plan(PLANNED, mode))

    assert_exact(outcome)
    if mode == 'block':
        assert outcome.stripped.kept == ()
    # A gate's reading layer is a plain bias, so its constant folds in both modes.
    assert outcome.stripped.plan.widths() == {BLOCK: 16, 'SE1': 3}


@pytest.mark.parametrize('mode', ['block', 'filter'])
def test_a_training_graph_gives_the_same_stripped_network(mode):
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    net = nets.net_of(graph)

    outcome = nets.prune_and_strip(net, net.plan(PLANNED, mode))

    assert_exact(outcome)
    assert outcome.stripped.plan.widths() == {BLOCK: 16, 'SE1': 3}


def test_every_place_of_a_channel_shrinks():
    net = nets.net_of(networks.inverted_residual_net())
    plan = net.plan(PLANNED)

    found = shapes(net.soft_pruned(plan).strip(plan))

    before = {name: array.shape for name, array in net.arrays.items()}
    smaller = {name: found[name] for name in found if found[name] != before[name]}
    assert smaller == {
        f'{BLOCK}/expand/conv/kernel': (1, 1, 8, 16),
        f'{BLOCK}/expand/BatchNorm/gamma': (16,),
        f'{BLOCK}/expand/BatchNorm/beta': (16,),
        f'{BLOCK}/expand/BatchNorm/moving_mean': (16,),
        f'{BLOCK}/expand/BatchNorm/moving_variance': (16,),
        f'{BLOCK}/depthwise/weights': (3, 3, 16, 1),
        f'{BLOCK}/depthwise/BatchNorm/gamma': (16,),
        f'{BLOCK}/depthwise/BatchNorm/beta': (16,),
        f'{BLOCK}/depthwise/BatchNorm/moving_mean': (16,),
        f'{BLOCK}/depthwise/BatchNorm/moving_variance': (16,),
        f'{BLOCK}/project/conv/kernel': (1, 1, 16, 8),
        'SE1/reduce/kernel': (1, 1, 8, 3),
        'SE1/reduce/bias': (3,),
        'SE1/expand/kernel': (1, 1, 3, 8),
    }


def test_the_kept_weights_stay_as_they_are_and_in_order():
    net = nets.net_of(nets.two_convs(width=5))
    plan = net.plan({'a': [1, 3]})

    stripped = net.soft_pruned(plan).strip(plan)

    for name, axis in (('a/kernel', 3), ('a_bn/moving_mean', 0), ('b/kernel', 2)):
        expected = np.take(net.arrays[name], [0, 2, 4], axis)
        np.testing.assert_array_equal(stripped.arrays[name], expected)
    np.testing.assert_array_equal(stripped.arrays['b/bias'], net.arrays['b/bias'])


@pytest.mark.parametrize('planned', [{}, {BLOCK: [], 'SE1': []}])
def test_a_plan_that_removes_nothing_is_the_identity(planned):
    net = nets.net_of(networks.inverted_residual_net())

    stripped = net.strip(net.plan(planned))

    assert stripped.kept == ()
    assert set(stripped.arrays) == set(net.arrays)
    for name, array in net.arrays.items():
        assert stripped.arrays[name].tobytes() == array.tobytes()
    assert freeze.freeze(stripped.graph, stripped.arrays).SerializeToString(
        deterministic=True
    ) == net.frozen().SerializeToString(deterministic=True)


def test_nothing_that_is_given_is_changed():
    graph = networks.inverted_residual_net()
    net = nets.net_of(graph)
    plan = net.plan(PLANNED, mode='filter')
    pruned = net.soft_pruned(plan)
    graph_before = net.model.graph_def.SerializeToString(deterministic=True)
    arrays_before = {name: array.tobytes() for name, array in pruned.arrays.items()}
    plan_before = plan_json.to_json(plan)

    pruned.strip(plan)

    assert net.model.graph_def.SerializeToString(deterministic=True) == graph_before
    assert {k: array.tobytes() for k, array in pruned.arrays.items()} == arrays_before
    assert plan_json.to_json(plan) == plan_before


def test_the_plan_of_what_went_tells_how_it_was_chosen():
    net = nets.net_of(nets.two_convs())
    plan = dataclasses.replace(net.plan({'a': [1]}, 'filter'), threshold=0.7)

    assert net.soft_pruned(plan).strip(plan).plan == plan


def test_node_names_stay():
    net = nets.net_of(networks.inverted_residual_net())
    plan = net.plan(PLANNED)

    stripped = net.soft_pruned(plan).strip(plan)

    assert [n.name for n in stripped.graph.graph_def.node] == [
        n.name for n in net.model.graph_def.node
    ]
    assert stripped.graph.outputs == ('output',)


def wake(net, channel):
    """Gives one channel of `a` weights again, at every place."""
    for name, axis in (('a/kernel', 3), ('a_bn/gamma', 0), ('b/kernel', 2)):
        index = (slice(None),) * axis + (channel,)
        net.arrays[name][index] = 1.0


def test_a_filter_that_woke_up_stays_and_the_reading_layer_is_named():
    net = nets.net_of(nets.two_convs(width=12))
    plan = net.plan({'a': [0, 1, 2, 3, 4, 5, 6, 7]}, multiple=4)
    pruned = net.soft_pruned(plan)
    wake(pruned, 2)

    stripped = pruned.strip(plan)

    assert stripped.kept == (
        Verdict('a', (2,), "not zero: 'b/Conv2D' still reads it"),
        Verdict('a', (5, 6, 7), 'kept width is a multiple of 4, and at least that'),
    )
    assert stripped.plan.groups[0].removed == (0, 1, 3, 4)
    assert stripped.plan.widths() == {'a': 8}
    assert nets.difference(pruned, stripped) <= TOLERANCE


def test_if_all_planned_filters_woke_up_nothing_goes():
    net = nets.net_of(nets.two_convs())
    plan = net.plan({'a': [0, 1, 2, 3]}, multiple=4)

    stripped = net.strip(plan)

    assert stripped.plan.removed_count == 0
    assert [kept.channels for kept in stripped.kept] == [(0, 1, 2, 3)]
    assert nets.difference(net, stripped) == 0


def test_a_plan_for_another_model_is_refused():
    plan = nets.net_of(nets.two_convs(width=6)).plan({'a': [0]})

    with pytest.raises(PlanError, match='other names or shapes'):
        nets.net_of(nets.two_convs()).strip(plan)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'name': 'c'}, "has no group 'c'"),
        ({'width': 9}, "Group 'a' has other places"),
        ({'removed': (2,)}, "Group 'a' has other places in the plan"),
    ],
)
def test_a_plan_for_other_groups_is_refused(changes, message):
    net = nets.net_of(nets.two_convs())
    plan = net.plan({'a': [0]})
    group = dataclasses.replace(plan.groups[0], **changes)

    with pytest.raises(PlanError, match=message):
        net.strip(dataclasses.replace(plan, groups=(group,)))


# -- no plan -----------------------------------------------------------------------


def test_without_a_plan_every_zero_filter_goes():
    net = nets.net_of(networks.inverted_residual_net())
    pruned = net.soft_pruned(net.plan(PLANNED))

    stripped = pruned.strip()

    removed = {group.name: group.removed for group in stripped.plan.groups}
    assert removed[BLOCK] == tuple(PLANNED[BLOCK])
    assert removed['SE1'] == (1,)
    assert stripped.plan.removed_count == 9
    assert nets.difference(pruned, stripped) <= TOLERANCE


def test_without_a_plan_a_multiple_is_kept():
    net = nets.net_of(nets.two_convs(width=12))
    pruned = net.soft_pruned(net.plan({'a': [0, 1, 2, 3, 4]}))

    stripped = pruned.strip(multiple=4)

    assert stripped.plan.widths() == {'a': 8}
    assert stripped.plan.channel_multiple == 4
    assert nets.difference(pruned, stripped) <= TOLERANCE


def test_without_a_plan_a_network_of_live_filters_stays_whole():
    net = nets.net_of(networks.inverted_residual_net())

    stripped = net.strip()

    assert (stripped.plan.removed_count, stripped.kept) == (0, ())
    assert shapes(stripped) == {name: a.shape for name, a in net.arrays.items()}


def test_a_channel_of_every_group_stays_even_if_all_weights_are_zero():
    net = nets.net_of(networks.inverted_residual_net())
    for name, array in net.arrays.items():
        net.arrays[name] = np.ones_like(array) if 'var' in name else 0 * array
    net.arrays['Logits/dense/bias'] += 1

    stripped = net.strip()

    assert stripped.plan.widths() == {'net/Conv/conv': 1, BLOCK: 1, 'SE1': 1}
    assert min(array.size for array in stripped.arrays.values()) >= 1
    assert nets.difference(net, stripped) == 0


def test_all_filters_of_one_group_zero_leave_one():
    net = nets.net_of(nets.two_convs())
    for name, axis in (('a/kernel', 3), ('a_bn/gamma', 0), ('a_bn/beta', 0)):
        index = (slice(None),) * axis
        net.arrays[name][index] = 0
    net.arrays['b/kernel'][:] = 0

    stripped = net.strip()

    assert stripped.plan.widths() == {'a': 1}
    assert nets.difference(net, stripped) == 0


# -- what hangs on the channels ----------------------------------------------------


def reshaped(x):
    return tf.reshape(x, [-1, 36, 8])


def back(x):
    return tf.reshape(x, [-1, 6, 6, 8])


def flat(x):
    return tf.reshape(x, [-1, 6 * 6 * 8])


def dense(name, units):
    return lambda x: tf.layers.dense(x, units, name=name)


@pytest.mark.parametrize('mode', ['block', 'filter'])
@pytest.mark.parametrize(
    'layers',
    [(reshaped, back, nets.conv('b', 3)), (flat, dense('b', 3))],
    ids=['there and back', 'flatten to dense'],
)
def test_sizes_of_a_reshape_follow(layers, mode):
    net = nets.net_of(nets.two_convs(tf.nn.relu, *layers))

    outcome = nets.prune_and_strip(net, net.plan({'a': [0, 3, 4]}, mode))

    assert_exact(outcome)
    assert outcome.stripped.plan.widths() == {'a': 5}
    assert outcome.stripped.kept == ()


def test_a_size_constant_that_two_reshapes_share_is_rewritten_for_one():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        shape = tf.constant([-1, 36, 4])
        a = tf.reshape(networks.conv(x, 4, name='a'), shape)
        other = tf.reshape(networks.conv(x, 4, name='other'), shape)
        a = networks.conv(tf.reshape(a, [-1, 6, 6, 4]), 3, name='b')
        tf.add(tf.reduce_mean(a, [1, 2]), tf.reduce_mean(other, [1, 2]))
        other = networks.conv(tf.reshape(other, [-1, 6, 6, 4]), 3, name='c')
        tf.add(a, other, name='output')
    net = nets.net_of(graph)

    outcome = nets.prune_and_strip(net, net.plan({'a': [0, 2]}))

    assert_exact(outcome)
    assert shapes(outcome.stripped)['a/kernel'] == (1, 1, 3, 2)
    assert shapes(outcome.stripped)['other/kernel'] == (1, 1, 3, 4)


@pytest.mark.parametrize('mode', ['block', 'filter'])
def test_shared_weights_shrink_once(mode):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        branches = []
        for branch in (x, tf.square(x)):
            with tf.variable_scope('shared', reuse=tf.AUTO_REUSE):
                y = networks.conv(branch, 8, name='a', use_bias=False)
                y = tf.nn.relu(networks.batch_norm(y))
                branches.append(networks.conv(y, 3, name='b'))
        tf.subtract(*branches, name='output')
    net = nets.net_of(graph)

    outcome = nets.prune_and_strip(net, net.plan({'shared/a': [0, 3, 4]}, mode))

    assert_exact(outcome)
    if mode == 'block':
        assert shapes(outcome.stripped)['shared/a/kernel'] == (1, 1, 3, 5)


def test_zero_filters_of_a_frozen_graph_go():
    net = nets.net_of(networks.inverted_residual_net())
    pruned = net.soft_pruned(net.plan(PLANNED)).frozen()
    meta_graph = tf.MetaGraphDef(graph_def=pruned)
    model = derivation.derive(meta_graph, ('output',))
    found = trace(model)
    frozen = nets.Net(found, groups_lib.find_groups(found), {})

    stripped = frozen.strip()

    assert stripped.plan.widths()[BLOCK] == 16
    assert stripped.plan.widths()['SE1'] == 3
    assert nets.difference(frozen, stripped) <= TOLERANCE
    assert stripped.graph.graph_def.ByteSize() < pruned.ByteSize()


def test_an_output_that_reads_the_channels_keeps_them():
    graph = nets.two_convs()
    with graph.as_default():
        tf.identity(graph.get_tensor_by_name('Relu:0'), name='features')
    model = networks.model_of(graph, ('output', 'features'))
    found = trace(model)
    arrays = nets.net_of(graph).arrays
    net = nets.Net(found, groups_lib.find_groups(found), arrays)
    pruned = net.soft_pruned(net.plan({'a': [0, 1]}))

    stripped = pruned.strip()

    assert net.group('a').reasons == ('is a model output',)
    assert stripped.plan.removed_count == 0
    assert shapes(stripped)['a/kernel'] == (1, 1, 3, 8)
