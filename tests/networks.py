"""Tiny TF1 networks with random weights for the tests.

A default-initialized batch norm maps 0 to 0 and proves nothing, so every value here is
random: gamma, beta, moving mean, (positive) moving variance, biases and slots.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import derivation
from tf1pruning.graph.inference_graph import InferenceGraph

CLASSES = 5
EXPANDED = 24
SQUEEZED = 4
STEM = 8
BLOCK = 'net/expanded_conv_1'
_WIDTHS = {
    'net/Conv/conv': STEM,
    f'{BLOCK}/expand/conv': EXPANDED,
    f'{BLOCK}/project/conv': STEM,
    'SE1/reduce': SQUEEZED,
    'SE1/expand': STEM,
}

ACTIVATIONS = {
    'relu': tf.nn.relu,
    'relu6': tf.nn.relu6,
    'swish': lambda x: x * tf.sigmoid(x),
    'hard_swish': lambda x: x * (tf.nn.relu6(x + 3.0) * (1.0 / 6.0)),
}
OPTIMIZERS = {
    'momentum': lambda: tf.train.MomentumOptimizer(0.01, 0.9),
    'adam': lambda: tf.train.AdamOptimizer(0.001),
    'rmsprop': lambda: tf.train.RMSPropOptimizer(0.001, momentum=0.9),
}


def inverted_residual_net(
    *,
    resource: bool = False,
    activation: str = 'relu6',
    is_training: bool = False,
    optimizer: Optional[str] = None,
    pipeline: bool = False,
    squeeze_excite: bool = True,
    widths: Optional[Mapping[str, int]] = None,
    dropout: float = 0.3,
) -> tf.Graph:
    """Stem, one inverted-residual block, `SE1`, global pool, dense, `output`.

    Args:
      resource: resource instead of ref variables.
      activation: a key of `ACTIVATIONS`, for the block.
      is_training: batch statistics and dropout.
      optimizer: a key of `OPTIMIZERS`; adds loss, slots and collection `train_op`.
      pipeline: images from a tf.data iterator instead of the placeholder `input`.
      squeeze_excite: whether there is a block `SE1`.
      widths: scope of a convolution -> its filters, where they are other than usual.
      dropout: rate of the dropout in training.

    Returns:
      A new graph. Input `[n, 8, 8, 3]`, node `output` `[n, 5]`.
    """
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(0)
        images, labels = _pipeline() if pipeline else _placeholders()
        with tf.variable_scope('', use_resource=resource):
            width = _WIDTHS.copy()
            width.update(widths or {})
            x = _block(images, ACTIVATIONS[activation], is_training, width)
            x = _squeeze_excite(x, width) if squeeze_excite else x
            logits = _head(x, dropout if is_training else 0.0)
            if optimizer is not None:
                add_training(logits, labels, OPTIMIZERS[optimizer]())
        return graph


def random_arrays(graph: tf.Graph, seed: int = 0) -> Dict[str, np.ndarray]:
    """Variable name -> random array, the same for every order of creation."""
    arrays = {}
    variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    for variable in variables:
        name = variable.op.name
        salt = [seed, *name.encode('utf-8')]
        shape = variable.shape.as_list()
        value = random_array(np.random.RandomState(salt), name, shape)
        arrays[name] = value.astype(variable.dtype.base_dtype.as_numpy_dtype)
    return arrays


def random_array(
    generator: np.random.RandomState, name: str, shape: Sequence[int]
) -> np.ndarray:
    """A random array that suits the role that a variable's name tells."""
    if 'variance' in name or name.endswith(('Adam_1', '/RMSProp')):
        return generator.uniform(0.5, 2.0, shape)
    if name.endswith('_power'):
        return generator.uniform(0.5, 0.9, shape)
    if name == 'global_step':
        return np.array(generator.randint(1, 1000))
    fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 2
    return generator.normal(0.0, 1.0 / np.sqrt(fan_in), shape)


def save(graph: tf.Graph, prefix: str, seed: int = 0) -> str:
    """Writes a checkpoint of `random_arrays`, with its meta graph.

    Returns:
      The prefix, as `tf.train.Saver.save` returns it.
    """
    arrays = random_arrays(graph, seed)
    with graph.as_default(), tf.Session() as session:
        variables = tf.global_variables()
        values = {v.initializer.inputs[1]: arrays[v.op.name] for v in variables}
        session.run([v.initializer for v in variables], values)
        return tf.train.Saver().save(session, str(prefix))


def model_of(graph: tf.Graph, outputs: Sequence[str] = ('output',)) -> InferenceGraph:
    """The inference model of a graph."""
    return derivation.derive(tf.train.export_meta_graph(graph=graph), outputs)


def batch_norm(x: tf.Tensor, is_training: bool = False) -> tf.Tensor:
    """Fused batch norm under the scope's `BatchNorm`."""
    return tf.layers.batch_normalization(x, training=is_training, name='BatchNorm')


def conv(
    x: tf.Tensor, filters: int, size: int = 1, name: str = 'conv', **options: object
) -> tf.Tensor:
    """A SAME convolution, with a bias unless told otherwise."""
    return tf.layers.conv2d(x, filters, size, padding='same', name=name, **options)


def depthwise(x: tf.Tensor, size: int = 3, multiplier: int = 1) -> tf.Tensor:
    """A SAME depthwise convolution; its variable is the scope's `weights`."""
    shape = [size, size, x.shape.as_list()[-1], multiplier]
    weights = tf.get_variable('weights', shape)
    return tf.nn.depthwise_conv2d(x, weights, [1, 1, 1, 1], 'SAME')


def _placeholders():
    images = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
    return images, tf.zeros(tf.shape(images)[:1], tf.int32)


def _pipeline():
    images = np.random.RandomState(0).rand(8, 8, 8, 3).astype(np.float32)
    labels = np.arange(8, dtype=np.int32) % CLASSES
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).repeat().batch(4)
    iterator = tf.data.make_initializable_iterator(dataset)
    # As an Estimator does.
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    return iterator.get_next()


def _block(images, activation, is_training, width):
    with tf.variable_scope('net'):
        with tf.variable_scope('Conv'):
            x = conv(images, width['net/Conv/conv'], 3, use_bias=False)
            x = tf.nn.relu6(batch_norm(x, is_training))
        with tf.variable_scope('expanded_conv_1'):
            with tf.variable_scope('expand'):
                y = conv(x, width[f'{BLOCK}/expand/conv'], use_bias=False)
                y = activation(batch_norm(y, is_training))
            with tf.variable_scope('depthwise'):
                y = activation(batch_norm(depthwise(y), is_training))
            with tf.variable_scope('project'):
                y = conv(y, width[f'{BLOCK}/project/conv'], use_bias=False)
                y = batch_norm(y, is_training)
            return tf.add(x, y, name='add')


def _squeeze_excite(x, width):
    with tf.variable_scope('SE1'):
        y = tf.reduce_mean(x, [1, 2], keepdims=True)
        y = tf.nn.relu(conv(y, width['SE1/reduce'], name='reduce'))
        y = tf.sigmoid(conv(y, width['SE1/expand'], name='expand'))
        return tf.multiply(x, y, name='scale')


def _head(x, dropout):
    with tf.variable_scope('Logits'):
        x = tf.reduce_mean(x, [1, 2])
        if dropout:
            x = tf.nn.dropout(x, rate=dropout)
        logits = tf.layers.dense(x, CLASSES, name='dense')
    return tf.identity(logits, name='output')


def add_training(logits, labels, optimizer):
    """Loss, slots, and the collection `train_op`."""
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.get_or_create_global_step()
        train = optimizer.minimize(loss, global_step=step)
    tf.add_to_collection('train_op', train)
