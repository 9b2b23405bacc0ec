"""The stripped network, trained on: built by hand with the widths of the plan."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.ckpt import slots
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import PlanError
from tf1pruning.models import reading
from tf1pruning.steps import stripping
from tf1pruning.surgery import soft
from tf1pruning.training import warm_start
from tf1pruning.training.pruning_hook import HOLD, PruningHook

BLOCK = networks.BLOCK
# The stem's channels are tied to those of the block's end and of the gate.
INNER = {BLOCK: range(10), 'SE1': [0, 2]}
PLANNED = {'inner': INNER, 'all': {**INNER, 'net/Conv/conv': [1, 3]}}
IMAGES = np.random.RandomState(5).standard_normal([4, 8, 8, 3]).astype(np.float32)


def shapes_of(arrays):
    return {name: np.shape(array) for name, array in arrays.items()}


def without(arrays, plan, weights):
    """The arrays of a checkpoint without what a plan cuts, slots included."""
    owners = slots.find_slots(shapes_of(arrays), weights)
    removed = {}
    for cut in plan.cuts:
        removed.setdefault(cut.variable, []).append(cut)
    result = {}
    for name, array in arrays.items():
        for cut in removed.get(owners.get(name, name), ()):
            array = np.delete(array, cut.indices, cut.axis)
        result[name] = array
    return result


def after_one_step(graph, arrays, hooks=()):
    """Values of all variables after one training step from given values."""
    with graph.as_default():
        variables = {v.op.name: v for v in tf.global_variables()}
        train = tf.get_collection('train_op')[-1]
        with tf.train.MonitoredSession(hooks=hooks) as session:

            def start(step_context):
                for name, variable in variables.items():
                    variable.load(arrays[name], step_context.session)

            session.run_step_fn(start)
            session.run(train, {'input:0': IMAGES})
            return session.run_step_fn(
                lambda step_context: step_context.session.run(variables)
            )


@pytest.mark.parametrize(
    ('optimizer', 'groups'),
    [('momentum', 'inner'), ('momentum', 'all'), ('adam', 'all'), ('rmsprop', 'all')],
)
def test_a_step_of_the_stripped_network_is_the_step_of_the_held_one(optimizer, groups):
    options = {'activation': 'swish', 'optimizer': optimizer, 'is_training': True}
    options['dropout'] = 0.0  # It draws other numbers for another width.
    graph = networks.inverted_residual_net(**options)
    net = nets.net_of(networks.inverted_residual_net(activation='swish'))
    plan, weights = net.plan(PLANNED[groups]), list(net.arrays)
    whole = ArraysInMemory(networks.random_arrays(graph))
    pruned = dict(soft.SoftPruned(whole, plan, weights))
    widths = plan.layer_widths(shapes_of(pruned))
    small = networks.inverted_residual_net(**options, widths=widths)

    held = after_one_step(graph, pruned, [PruningHook(plan, HOLD)])
    found = after_one_step(small, without(pruned, plan, weights))

    expected = without(held, plan, weights)
    assert shapes_of(found) == shapes_of(expected)
    moved = [n for n in found if not np.array_equal(held[n], pruned[n])]
    assert {f'{BLOCK}/expand/conv/kernel', 'SE1/reduce/kernel'} < set(moved)
    for name, array in expected.items():
        scale = max(1e-3, float(np.abs(array).max()))
        np.testing.assert_allclose(found[name], array, atol=1e-5 * scale, rtol=0)


def test_layer_widths_name_the_layers_that_lose_channels():
    net = nets.net_of(networks.inverted_residual_net())

    widths = net.plan({BLOCK: [3, 4, 5]}).layer_widths(shapes_of(net.arrays))

    assert widths == {f'{BLOCK}/expand/conv': 21, f'{BLOCK}/depthwise': 21}


def test_kernels_of_one_scope_are_named_one_by_one():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        with tf.variable_scope('cell'):
            for name, size in (('w1', [3, 4]), ('w2', [4, 5]), ('w3', [5, 2])):
                x = tf.nn.relu(tf.matmul(x, tf.get_variable(name, size)))
        tf.identity(x, 'output')
    net = nets.net_of(graph)
    first, second = (g.name for g in net.groups if not g.frozen)

    widths = net.plan({first: [0], second: [1, 2]}).layer_widths(shapes_of(net.arrays))

    assert widths == {'cell/w1': 3, 'cell/w2': 3}


def test_widths_need_the_shapes_of_the_network_of_the_plan():
    net = nets.net_of(networks.inverted_residual_net())
    with pytest.raises(PlanError, match='No shapes are given'):
        net.plan(INNER).layer_widths({'other': (3, 3)})


@pytest.mark.parametrize('groups', PLANNED)
def test_the_stripped_checkpoint_fits_the_network_of_these_widths(tmp_path, groups):
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    source = reading.load(
        networks.save(graph, str(tmp_path / 'model.ckpt')), ('output',)
    )
    plan = nets.net_of(networks.inverted_residual_net()).plan(PLANNED[groups])
    pruned = soft.SoftPruned(source.variables, plan, source.weight_keys)
    source = reading.from_graph(
        tf.train.export_meta_graph(graph=graph), ('output',), pruned, source.path
    )
    result = stripping.strip_model(source, plan)
    prefix = stripping.write_checkpoint(result, str(tmp_path / 'small.ckpt'))

    widths = plan.layer_widths(source.variables.shapes)
    small = networks.inverted_residual_net(widths=widths)
    with small.as_default():
        scaffold = tf.train.Scaffold(init_fn=warm_start.init_fn(prefix))
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            found = session.run('output:0', {'input:0': IMAGES})

    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(result.frozen, name='')
        expected = session.run('output:0', {'input:0': IMAGES})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
