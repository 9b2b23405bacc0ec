from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tests.training.test_fine_tune import IMAGES, after_one_step, shapes_of, without
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.export.training import TrainingFormat
from tf1pruning.surgery import soft
from tf1pruning.surgery import stripped as stripped_lib
from tf1pruning.training.pruning_hook import HOLD, PruningHook
from tf1pruning.training.stripped_graph import import_stripped

PLANNED = {networks.BLOCK: range(10), 'SE1': [0, 2], 'net/Conv/conv': [1, 3]}


class Stripped:
    """A training in mid-course, soft-pruned, and its stripped checkpoint on disk."""

    def __init__(self, folder, optimizer='adam', **options):
        self.optimizer = optimizer
        self.graph = networks.inverted_residual_net(
            is_training=True, optimizer=optimizer, dropout=0.0, **options
        )
        net = nets.net_of(self.graph)
        self.plan, self.weights = net.plan(PLANNED), list(net.arrays)
        whole = ArraysInMemory(networks.random_arrays(self.graph))
        self.pruned = soft.SoftPruned(whole, self.plan, self.weights)
        own = {name: self.pruned[name] for name in self.weights}
        stripped = stripped_lib.strip(
            net.trace, net.groups, ArraysInMemory(own), self.plan
        )
        self.prefix = str(folder / TrainingFormat.file)
        meta = tf.train.export_meta_graph(graph=self.graph)
        self.format = TrainingFormat(meta, self.pruned, stripped, ())
        self.format.write(str(folder), None, self.prefix)

    def rebuilt(self):
        with tf.Graph().as_default() as graph:
            images = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
            logits = import_stripped(self.prefix + '.meta', images, True)['output']
            labels = tf.zeros(tf.shape(images)[:1], tf.int32)
            networks.add_training(logits, labels, networks.OPTIMIZERS[self.optimizer]())
        return graph


@pytest.mark.parametrize('optimizer', ['momentum', 'adam', 'rmsprop'])
def test_training_goes_on_as_if_the_zeros_were_held(tmp_path, optimizer):
    made = Stripped(tmp_path, optimizer)

    held = after_one_step(made.graph, made.pruned, [PruningHook(made.plan, HOLD)])
    found = after_one_step(made.rebuilt(), Checkpoint(made.prefix))

    expected = without(held, made.plan, made.weights)
    assert shapes_of(found) == shapes_of(expected)
    assert found['global_step'] == made.pruned['global_step'] + 1
    for name, array in expected.items():
        scale = max(1e-3, float(np.abs(array).max()))
        np.testing.assert_allclose(found[name], array, atol=1e-5 * scale, rtol=0)


def test_the_checkpoint_holds_all_that_the_training_needs(tmp_path):
    made = Stripped(tmp_path)

    found = Checkpoint(made.prefix)

    expected = without(dict(made.pruned), made.plan, made.weights)
    assert found.shapes == shapes_of(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize('resource', [False, True])
def test_inference_gives_the_answers_of_the_soft_pruned_network(tmp_path, resource):
    made = Stripped(tmp_path, resource=resource)

    found = made.format.answers(str(tmp_path), ['output'], {'input': IMAGES})[0]

    net = nets.net_of(made.graph)
    arrays = {name: made.pruned[name] for name in made.weights}
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(nets.freeze.freeze(net.model, arrays), name='')
        expected = session.run('output:0', {'input:0': IMAGES})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_weights_that_the_network_lacks_go_with_their_slots(tmp_path):
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    with graph.as_default():
        tf.get_variable('aux/w', [3])
    arrays = networks.random_arrays(graph)
    arrays['aux/w/Momentum'] = np.ones([3], np.float32)
    net = nets.net_of(graph)
    stripped = net.strip()

    meta, prefix = tf.train.export_meta_graph(graph=graph), str(tmp_path / 'small')
    TrainingFormat(meta, ArraysInMemory(arrays), stripped, ()).write(
        str(tmp_path), None, prefix
    )

    gone = set(arrays) - set(Checkpoint(prefix))
    assert gone == {'aux/w', 'aux/w/Momentum'}


def computed_net(compute):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        for name in 'ab':
            v = tf.get_variable(f'{name}/v', [1, 1, x.shape[-1], 8])
            x = tf.nn.relu(tf.nn.conv2d(x, compute(v), 1, 'SAME'))
        tf.identity(tf.reduce_mean(x, [1, 2]), name='output')
    return graph


def computed_format(compute):
    graph = computed_net(compute)
    net = nets.net_of(graph)
    plan = net.plan({'a': [1, 2]})
    pruned = net.soft_pruned(plan)
    meta = tf.train.export_meta_graph(graph=graph)
    arrays = ArraysInMemory(pruned.arrays)
    return TrainingFormat(meta, arrays, pruned.strip(plan), ())


def test_a_computed_kernel_is_trained_on(tmp_path):
    made = computed_format(lambda v: tf.nn.l2_normalize(v, [0, 1, 2]))

    made.write(str(tmp_path), None, str(tmp_path / made.file))

    shapes = Checkpoint(str(tmp_path / made.file)).shapes
    assert shapes == {'a/v': (1, 1, 3, 6), 'b/v': (1, 1, 6, 8)}


def test_a_kernel_that_became_a_constant_cannot_be_trained_on():
    with pytest.raises(GraphError, match="'sub_1' computes a kernel from variables"):
        computed_format(lambda v: v - tf.reduce_mean(v, [0, 1, 2]))
