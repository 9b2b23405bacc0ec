"""Small networks, ready to be exported."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.export.format import Network
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.meta_graphs import signature

IMAGE = np.random.RandomState(3).standard_normal([2, 8, 8, 3]).astype(np.float32)


def network(graph: tf.Graph) -> Network:
    """A graph that ends in `output`, with random arrays."""
    model = networks.model_of(graph)
    arrays = networks.random_arrays(graph)
    own = {variable.node: arrays[variable.node] for variable in model.variables}
    frozen = freeze.freeze(model, own)
    named = signature.signatures_of(model, tf.train.export_meta_graph(graph=graph))
    return Network(model, ArraysInMemory(own), frozen, named)


def inverted_residual() -> Network:
    return network(networks.inverted_residual_net(is_training=True, optimizer='adam'))


def channels_first() -> Network:
    """A convolution that TensorFlow runs on GPUs only."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.transpose(x, [0, 3, 1, 2])
        kernel = tf.get_variable('kernel', [3, 3, 3, 4])
        tf.nn.conv2d(x, kernel, 1, 'SAME', data_format='NCHW', name='output')
    return network(graph)


def answers(exported: Network, image: np.ndarray = IMAGE) -> np.ndarray:
    """What TensorFlow itself answers."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(exported.frozen, name='')
        return session.run('output:0', {'input:0': image})
