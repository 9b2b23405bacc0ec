from __future__ import annotations

import os
import re
import unittest

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tests.training import flow
from tests.training.test_fine_tune import IMAGES, after_one_step, shapes_of, without
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.facade import output_files
from tf1pruning.models import reading
from tf1pruning.steps import stripping, writing
from tf1pruning.surgery import soft
from tf1pruning.training import devices, warm_start
from tf1pruning.training.pruning_hook import HOLD, PruningHook
from tf1pruning.training.stripped_graph import import_stripped

PLANNED = {networks.BLOCK: range(10), 'SE1': [0, 2]}
KINDS = {
    'ref': {},
    'resource': {'resource': True},
    'pipeline': {'pipeline': True},
    'resource pipeline': {'resource': True, 'pipeline': True},
}


def stripped(graph, folder, planned=None):
    """Strips what is planned of a network with random weights.

    Returns:
      (path of the training meta graph, prefix of the checkpoint, plan, arrays of the
      soft-pruned network)
    """
    meta = tf.train.export_meta_graph(graph=graph)
    plan = nets.net_of(graph).plan(planned or PLANNED)
    arrays = ArraysInMemory(networks.random_arrays(graph))
    weights = reading.from_graph(meta, ('output',), arrays, 'memory').weight_keys
    pruned = soft.SoftPruned(arrays, plan, weights)
    source = reading.from_graph(meta, ('output',), pruned, 'memory')
    result = stripping.strip_model(source, plan)
    (folder / 'trained.meta').write_bytes(meta.SerializeToString())
    output_files.write_training_meta(str(folder), str(folder / 'trained.meta'), result)
    path = str(folder / output_files.STRIPPED_DIR / 'training.meta')
    prefix = str(folder / 'small.ckpt')
    small = result.stripped
    writing.write_network(prefix, small.graph, small.arrays, result.original)
    return path, prefix, plan, dict(pruned)


def training_net(optimizer='momentum', **options):
    return networks.inverted_residual_net(
        is_training=True, optimizer=optimizer, dropout=0.0, **options
    )


def rebuilt(meta, training=True, optimizer='momentum'):
    """The stripped network on a placeholder, with loss and optimizer."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        logits = import_stripped(meta, images, training)['output']
        if training:
            labels = tf.zeros(tf.shape(images)[:1], tf.int32)
            networks.add_training(logits, labels, networks.OPTIMIZERS[optimizer]())
    return graph


@pytest.mark.parametrize(
    ('optimizer', 'resource'),
    [('momentum', False), ('momentum', True), ('adam', False), ('rmsprop', True)],
)
def test_a_step_of_the_rebuilt_network_is_the_step_of_the_held_one(
    tmp_path, optimizer, resource
):
    graph = training_net(optimizer, resource=resource)
    meta, _, plan, pruned = stripped(graph, tmp_path)
    weights = networks.random_arrays(networks.inverted_residual_net())
    small = without(pruned, plan, weights)

    held = after_one_step(graph, pruned, [PruningHook(plan, HOLD)])
    found = after_one_step(rebuilt(meta, optimizer=optimizer), small)

    expected = without(held, plan, weights)
    assert shapes_of(found) == shapes_of(expected)
    for name, array in expected.items():
        scale = max(1e-3, float(np.abs(array).max()))
        np.testing.assert_allclose(found[name], array, atol=1e-5 * scale, rtol=0)
    moved = 'net/Conv/BatchNorm/moving_mean'
    assert not np.array_equal(found[moved], small[moved])


@pytest.fixture(scope='module', params=KINDS)
def of_kind(request, tmp_path_factory):
    """A training graph, and what `stripped` makes of it."""
    graph = training_net(**KINDS[request.param])
    return (graph, *stripped(graph, tmp_path_factory.mktemp('of_kind')))


def test_the_collections_are_those_of_a_network_built_by_hand(of_kind):
    graph, meta, _, plan, pruned = of_kind

    with rebuilt(meta).as_default():
        trainable = {
            v.op.name: tuple(v.shape.as_list()) for v in tf.trainable_variables()
        }
        updates = [op.name for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)]

    with graph.as_default():
        names = {v.op.name for v in tf.trainable_variables()}
        assert updates == [op.name for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)]
    expected = shapes_of(without(pruned, plan, list(pruned)))
    assert trainable == {name: expected[name] for name in names}


def test_inference_gives_the_answers_of_the_stripped_network(of_kind):
    _, meta, prefix, _, pruned = of_kind

    with rebuilt(meta, training=False).as_default():
        assert tf.get_collection(tf.GraphKeys.UPDATE_OPS) == []
        scaffold = tf.train.Scaffold(init_fn=warm_start.init_fn(prefix))
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            found = session.run('output:0', {'input:0': IMAGES})

    whole = networks.inverted_residual_net()
    with whole.as_default(), tf.Session() as session:
        for variable in tf.global_variables():
            variable.load(pruned[variable.op.name], session)
        expected = session.run('output:0', {'input:0': IMAGES})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def regularized_net():
    """A convolution with an L2 loss, and a reader."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'images')
        decay = tf.keras.regularizers.l2(0.5)
        x = networks.conv(x, 4, name='a', kernel_regularizer=decay)
        x = networks.conv(tf.nn.relu(x), 2, name='b')
        tf.identity(x, 'output')
    return graph


def test_regularization_losses_come_along(tmp_path):
    meta, prefix, _, pruned = stripped(regularized_net(), tmp_path, {'a': [1, 2]})

    with tf.Graph().as_default():
        import_stripped(meta, tf.zeros([1, 6, 6, 3]), training=True)
        loss = tf.losses.get_regularization_loss()
        scaffold = tf.train.Scaffold(init_fn=warm_start.init_fn(prefix))
        with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
            found = session.run(loss)

    assert found == pytest.approx(0.5 * np.square(pruned['a/kernel']).sum(), rel=1e-5)


def two_inputs():
    with tf.Graph().as_default() as graph:
        left = tf.placeholder(tf.float32, [None, 6, 6, 3], 'left')
        right = tf.placeholder(tf.float32, [None, 6, 6, 3], 'right')
        is_training = tf.placeholder_with_default(False, [], 'is_training')
        x = networks.conv(left + right, 4, name='a', use_bias=False)
        x = tf.layers.batch_normalization(x, training=is_training, name='bn')
        x = networks.conv(tf.nn.relu(x), 2, name='b')
        tf.identity(x, 'output')
    return graph


@pytest.mark.parametrize('training', [False, True])
def test_several_inputs_go_by_name_and_the_training_flag_is_set(tmp_path, training):
    meta, _, _, _ = stripped(two_inputs(), tmp_path, {'a': [1, 2]})
    images = np.random.RandomState(0).rand(2, 6, 6, 3)

    with tf.Graph().as_default(), tf.Session() as session:
        features = {'left': tf.constant(images, tf.float32), 'right': tf.zeros([1] * 4)}
        import_stripped(meta, features, training)
        mean = tf.global_variables('bn/moving_mean')[0]
        for variable in tf.global_variables():
            variable.load(np.full(variable.shape.as_list(), 0.5), session)
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        found = session.run(mean)

    assert found.shape == (2,)
    assert (found != 0.5).all() == training


def flagged_net(kind):
    """Batch norm under a flag; a node called Const, or another flag."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'images')
        flag = tf.placeholder(tf.bool, [], 'flag')
        training = tf.logical_not(flag) if kind == 'inverted' else flag
        x = networks.conv(x, 4, name='a', use_bias=False)
        x = tf.layers.batch_normalization(x, training=training, name='bn')
        x = tf.nn.relu(x)
        if kind == 'mirrored':
            mirror = tf.placeholder(tf.bool, [], 'mirror')
            x = tf.cond(mirror, lambda: tf.reverse(x, [2]), lambda: x)
        elif kind == 'defaulted':
            keeps = tf.placeholder_with_default(True, [], 'keeps')
            x = tf.cond(keeps, lambda: x, lambda: -x)
        elif kind == 'constant':
            x = x * tf.constant(1.5)
        x = networks.conv(x, 2, name='b')
        tf.identity(x, 'output')
    return graph


def answers(kind, pruned, training):
    """Of the soft-pruned network, with its flags set by hand."""
    feeds = {'images:0': np.random.RandomState(0).rand(2, 6, 6, 3)}
    feeds['flag:0'] = training != (kind == 'inverted')
    if kind == 'mirrored':
        feeds['mirror:0'] = True
    with flagged_net(kind).as_default(), tf.Session() as session:
        for variable in tf.global_variables():
            variable.load(pruned[variable.op.name], session)
        return feeds['images:0'], session.run('output:0', feeds)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('kind', ['plain', 'inverted', 'constant', 'defaulted'])
def test_each_flag_has_the_value_of_its_mode(tmp_path, kind, training):
    meta, prefix, _, pruned = stripped(flagged_net(kind), tmp_path, {'a': [1, 2]})
    images, expected = answers(kind, pruned, training)

    with tf.Graph().as_default(), tf.Session() as session:
        features = tf.constant(images, tf.float32, name='features')
        output = import_stripped(meta, features, training)['output']
        tf.train.Saver().restore(session, prefix)
        found = session.run(output)

    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('training', [False, True])
def test_a_flag_that_means_something_else_is_an_input(tmp_path, training):
    graph = flagged_net('mirrored')
    meta, prefix, _, pruned = stripped(graph, tmp_path, {'a': [1, 2]})
    images, expected = answers('mirrored', pruned, training)

    with tf.Graph().as_default(), tf.Session() as session:
        features = tf.constant(images, tf.float32, name='features')
        with pytest.raises(GraphError, match=r"reads 'images', 'mirror'"):
            import_stripped(meta, features, training)
        both = {'images': features, 'mirror': tf.constant(True)}
        output = import_stripped(meta, both, training)['output']
        tf.train.Saver().restore(session, prefix)
        found = session.run(output)

    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_features_that_do_not_fit_are_named(tmp_path):
    meta, _, _, _ = stripped(two_inputs(), tmp_path, {'a': [1, 2]})
    with tf.Graph().as_default():
        with pytest.raises(GraphError, match=r"reads 'left', 'right'.*nothing by name"):
            import_stripped(meta, tf.zeros([1, 6, 6, 3]), True)
        with pytest.raises(GraphError, match="given for 'left'"):
            import_stripped(meta, {'left': tf.zeros([1, 6, 6, 3])}, True)


def test_a_second_import_is_refused(tmp_path):
    meta, _, _, _ = stripped(regularized_net(), tmp_path, {'a': [1, 2]})
    with tf.Graph().as_default():
        import_stripped(meta, tf.zeros([1, 6, 6, 3]), True)
        with pytest.raises(GraphError, match=r"has nodes of the stripped network.*'a/"):
            import_stripped(meta, tf.zeros([1, 6, 6, 3]), True)


def test_another_meta_graph_is_refused(tmp_path):
    _, prefix, _, _ = stripped(regularized_net(), tmp_path, {'a': [1, 2]})
    with pytest.raises(GraphError, match=r"no collection 'tf1pruning_inputs'"):
        import_stripped(prefix + '.meta', tf.zeros([1, 6, 6, 3]), True)


def test_a_strategy_with_copies_is_refused(tmp_path):
    meta, _, _, _ = stripped(regularized_net(), tmp_path, {'a': [1, 2]})
    strategy = devices.mirrored(['cpu:0', 'cpu:1'])
    with tf.Graph().as_default(), strategy.scope(), pytest.raises(
        GraphError, match=r'training.meta. cannot be imported .*Plan.layer_widths'
    ):
        import_stripped(meta, tf.zeros([1, 6, 6, 3]), training=True)


def test_a_size_that_only_the_training_uses_is_refused(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [4, 6, 6, 3], 'images')
        x = tf.nn.relu(networks.conv(x, 4, name='a'))
        x = tf.nn.dropout(x, rate=0.5)
        x = networks.conv(x, 2, name='b')
        tf.identity(x, 'output')

    with unittest.TestCase().assertLogs('absl', 'WARNING') as log:
        path, *_ = stripped(graph, tmp_path, {'a': [1, 2]})

    assert re.search(r'cannot be stripped.*only the training', log.output[0])
    assert not os.path.exists(path)


def test_an_estimator_trains_the_network_that_pruning_stripped(tmp_path):
    graph = networks.inverted_residual_net(
        is_training=True, optimizer='adam', pipeline=True
    )
    checkpoint = networks.save(graph, str(tmp_path / 'model.ckpt'))
    prefix = flow.one_round(checkpoint, tmp_path / 'out').export_ckpt_path

    tuned = flow.train(tmp_path / 'tuned', tmp_path / 'out', prefix)

    before, after = Checkpoint(prefix), Checkpoint(tuned)
    assert {key: after.shapes[key] for key in before} == before.shapes
    for key in before:
        assert not np.array_equal(after[key], before[key]), key
        np.testing.assert_allclose(after[key], before[key], atol=0.2)
