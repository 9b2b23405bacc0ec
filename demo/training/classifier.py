"""A model function for image classifiers of the zoo, for `tf.estimator.Estimator`.

Its `params` are a dict, as the Estimator wants them:

    config: the `MobileNetV2Config` of the network.
    optimizer: a key of `OPTIMIZERS`.
    learning_rate: at the first step; it falls to 0 along half a cosine.
    weight_decay: factor of the L2 loss of all kernels.
    l1_decay: factor of the sum of their magnitudes. It makes filters sparse that the
      network can do without, so that a sparsity threshold finds them.
    train_steps: the step at which training ends.
    pretrained_model_path: checkpoint to start from, or absent.
    parts: into how many parts each kernel is cut while it trains, one for each ps task;
      absent: 1.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional

import tensorflow.compat.v1 as tf

from demo.networks import mobilenet_v2
from tf1pruning.training import graph_variables, warm_start


class Recipe(NamedTuple):
    """An optimizer, made from a learning rate, and the rate that suits the demo."""

    make: Callable[[tf.Tensor], tf.train.Optimizer]
    learning_rate: float


OPTIMIZERS: Dict[str, Recipe] = {
    'sgd': Recipe(tf.train.GradientDescentOptimizer, 0.2),
    'momentum': Recipe(
        lambda rate: tf.train.MomentumOptimizer(rate, 0.9, use_nesterov=True), 0.05
    ),
    'adam': Recipe(tf.train.AdamOptimizer, 0.003),
    'rmsprop': Recipe(
        lambda rate: tf.train.RMSPropOptimizer(rate, momentum=0.9), 0.001
    ),
    'adagrad': Recipe(tf.train.AdagradOptimizer, 0.05),
    'adadelta': Recipe(tf.train.AdadeltaOptimizer, 1.0),
    'ftrl': Recipe(tf.train.FtrlOptimizer, 0.05),
}


def model_fn(
    features: tf.Tensor,
    labels: Optional[tf.Tensor],
    mode: str,
    params: Dict[str, Any],
) -> tf.estimator.EstimatorSpec:
    """Builds the network and what `mode` needs around it.

    The logits are the node `output`, the training loss is the node `loss`.
    """
    is_training = mode == tf.estimator.ModeKeys.TRAIN
    partitioner = None
    if is_training and params.get('parts', 1) > 1:
        partitioner = _last_axis_in(params['parts'])
    with tf.variable_scope(tf.get_variable_scope(), partitioner=partitioner):
        logits = mobilenet_v2.build(features, params['config'], is_training)
    classes = tf.argmax(logits, axis=1, output_type=tf.int32, name='classes')
    if mode == tf.estimator.ModeKeys.PREDICT:
        predictions = {'logits': logits, 'classes': classes}
        return tf.estimator.EstimatorSpec(mode, predictions=predictions)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    if not is_training:
        accuracy = tf.metrics.accuracy(labels, classes)
        return tf.estimator.EstimatorSpec(
            mode, loss=loss, eval_metric_ops={'accuracy': accuracy}
        )
    scaffold = None
    if params.get('pretrained_model_path'):
        restore = warm_start.init_fn(params['pretrained_model_path'])
        scaffold = tf.train.Scaffold(init_fn=restore)
    loss = tf.add(loss, _weight_loss(params), name='loss')
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=_train_op(loss, params), scaffold=scaffold
    )


def _last_axis_in(parts: int) -> Callable[..., List[int]]:
    """Cuts kernels along their output channels, and leaves vectors whole."""

    def partitioner(shape: tf.TensorShape, dtype: tf.DType) -> List[int]:
        rank = len(shape)
        if rank < 2 or shape.as_list()[-1] < parts:
            return [1] * rank
        return [1] * (rank - 1) + [parts]

    return partitioner


def _weight_loss(params: Dict[str, Any]) -> tf.Tensor:
    kernels = [
        part.variable
        for key, parts in graph_variables.by_key(tf.trainable_variables()).items()
        for part in parts
        if key.endswith('weights')
    ]
    squares = tf.add_n([tf.nn.l2_loss(v) for v in kernels])
    magnitudes = tf.add_n([tf.reduce_sum(tf.abs(v)) for v in kernels])
    return params['weight_decay'] * squares + params['l1_decay'] * magnitudes


def _train_op(loss: tf.Tensor, params: Dict[str, Any]) -> tf.Operation:
    step = tf.train.get_or_create_global_step()
    rate = tf.train.cosine_decay(params['learning_rate'], step, params['train_steps'])
    optimizer = OPTIMIZERS[params['optimizer']].make(rate)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return optimizer.minimize(loss, global_step=step)
