"""Layers that the networks of the zoo share: plain TF1 ops on NHWC tensors.

Each layer makes its variables in a scope of its own, with these names:

    weights, depthwise_weights, biases
    BatchNorm/{gamma,beta,moving_mean,moving_variance}

They are ref variables, or resource variables inside a variable scope that asks for them
by `use_resource`.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, List, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

Activation = Callable[[tf.Tensor], tf.Tensor]
Initial = Callable[[], tf.keras.initializers.Initializer]


def linear(net: tf.Tensor) -> tf.Tensor:
    """No activation."""
    return net


def hard_sigmoid(net: tf.Tensor) -> tf.Tensor:
    """Piecewise linear sigmoid (arXiv 1905.02244, section 5.2)."""
    return tf.nn.relu6(net + 3.0) * (1.0 / 6.0)


def hard_swish(net: tf.Tensor) -> tf.Tensor:
    """Swish with the piecewise linear sigmoid (arXiv 1905.02244, section 5.2)."""
    return net * hard_sigmoid(net)


def make_divisible(channels: float, divisor: int) -> int:
    """Nearest multiple of `divisor` that is not more than 10 % below `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@dataclasses.dataclass(frozen=True)
class Scaled:
    """Settings that every network has.

    Attributes:
      classes: number of logits (output channels where there are no classes).
      width: multiplier of the inner channels.

    Raises:
      ValueError: if one of them is not positive.
    """

    classes: int = 1000
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ValueError(f'classes is {self.classes}; expected 1 or more.')
        if self.width <= 0:
            raise ValueError(f'width is {self.width}; expected a positive number.')

    def scaled(self, channels: int, multiple: int = 8) -> int:
        """`channels` times the width multiplier, as a multiple of `multiple`."""
        return make_divisible(channels * self.width, multiple)


@dataclasses.dataclass(frozen=True)
class Layers:
    """Layers with batch norm.

    Attributes:
      is_training: batch statistics if true; the updates of the moving statistics are
        then in `tf.GraphKeys.UPDATE_OPS`.
      decay: of the moving statistics.
      epsilon: added to the variance.
    """

    is_training: bool = False
    decay: float = 0.997
    epsilon: float = 1e-3

    def conv(
        self,
        scope: str,
        net: tf.Tensor,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: Activation = linear,
    ) -> tf.Tensor:
        """SAME convolution without bias, batch norm, activation."""
        with tf.variable_scope(scope):
            weights = _kernel([kernel, kernel, net.shape.as_list()[-1], channels])
            net = tf.nn.conv2d(net, weights, strides=stride, padding='SAME')
            return activation(self._batch_norm(net))

    def depthwise(
        self,
        scope: str,
        net: tf.Tensor,
        kernel: int = 3,
        stride: int = 1,
        activation: Activation = linear,
    ) -> tf.Tensor:
        """SAME depthwise convolution without bias, batch norm, activation."""
        with tf.variable_scope(scope):
            # The default fan of [k, k, c, 1] counts c channels; each sees k * k inputs.
            deviation = (2 / kernel**2) ** 0.5
            weights = tf.get_variable(
                'depthwise_weights',
                [kernel, kernel, net.shape.as_list()[-1], 1],
                initializer=tf.initializers.truncated_normal(stddev=deviation),
            )
            net = tf.nn.depthwise_conv2d(
                net, weights, strides=[1, stride, stride, 1], padding='SAME'
            )
            return activation(self._batch_norm(net))

    def _batch_norm(self, net: tf.Tensor) -> tf.Tensor:
        with tf.variable_scope('BatchNorm') as scope:
            shape = [net.shape.as_list()[-1]]
            ones, zeros = tf.initializers.ones(), tf.initializers.zeros()
            gamma = tf.get_variable('gamma', shape, initializer=ones)
            beta = tf.get_variable('beta', shape, initializer=zeros)
            # Statistics stay in one part, as in TensorFlow's own layers.
            scope.set_partitioner(None)
            mean = _statistic('moving_mean', shape, zeros)
            variance = _statistic('moving_variance', shape, ones)
            if not self.is_training:
                return tf.nn.fused_batch_norm(
                    net, gamma, beta, mean, variance, self.epsilon, is_training=False
                )[0]
            net, batch_mean, batch_variance = tf.nn.fused_batch_norm(
                net, gamma, beta, epsilon=self.epsilon, is_training=True
            )
            self._update(mean, batch_mean)
            self._update(variance, batch_variance)
            return net

    def _update(self, moving: tf.Variable, batch: tf.Tensor) -> None:
        step = (moving - batch) * (1 - self.decay)
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_sub(moving, step))


def _statistic(
    name: str, shape: Sequence[int], initializer: tf.keras.initializers.Initializer
) -> tf.Variable:
    """A moving statistic; where a strategy mirrors it, each device has its own."""
    return tf.get_variable(
        name,
        shape,
        initializer=initializer,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.MEAN,
    )


def biased_conv(
    scope: str,
    net: tf.Tensor,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    activation: Activation = linear,
    padding: str = 'SAME',
) -> tf.Tensor:
    """Convolution with bias, activation."""
    with tf.variable_scope(scope):
        shape = [kernel, kernel, net.shape.as_list()[-1], channels]
        weights = _kernel(shape, tf.initializers.glorot_normal)
        bias = biases(channels)
        net = tf.nn.conv2d(net, weights, strides=stride, padding=padding)
        return activation(tf.nn.bias_add(net, bias))


def dense(
    scope: str,
    net: tf.Tensor,
    channels: int,
    bias: bool = True,
    activation: Activation = linear,
) -> tf.Tensor:
    """Dense layer on `[batch, features]`."""
    with tf.variable_scope(scope):
        weights = _kernel([net.shape.as_list()[-1], channels])
        net = tf.matmul(net, weights)
        return activation(tf.nn.bias_add(net, biases(channels)) if bias else net)


def flatten(net: tf.Tensor) -> tf.Tensor:
    """`[batch, ...]` -> `[batch, features]`; all but the batch must be static."""
    return tf.reshape(net, [-1, net.shape[1:].num_elements()])


def max_pool(net: tf.Tensor, size: int, padding: str = 'SAME') -> tf.Tensor:
    """Max pooling over `size` x `size` with stride 2."""
    return tf.nn.max_pool2d(net, size, 2, padding)


def classifier(
    scope: str, net: tf.Tensor, classes: int, hidden: Sequence[int] = ()
) -> tf.Tensor:
    """Dense layers on `[batch, features]`, of the widths `hidden`, then `classes`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    for index, channels in enumerate(hidden):
        net = dense(f'{scope}/fc{index + 1}', net, channels, activation=tf.nn.relu)
    net = dense(f'{scope}/Logits', net, classes)
    return tf.identity(net, name='output')


def pooled_classifier(scope: str, net: tf.Tensor, classes: int) -> tf.Tensor:
    """A `classifier` on the means of `[batch, height, width, channels]`."""
    return classifier(scope, tf.reduce_mean(net, [1, 2]), classes)


def squeeze_excite(
    scope: str,
    net: tf.Tensor,
    squeezed: int,
    activation: Activation = tf.nn.relu,
    gate: Activation = tf.sigmoid,
) -> tf.Tensor:
    """Multiplies channels by gates that see all channels (Hu et al., arXiv 1709.01507).

    The inner layer, `Conv`, has the width `squeezed`; the gates are `Conv_1`.
    """
    pooled = tf.reduce_mean(net, [1, 2], keepdims=True, name=f'{scope}/AvgPool')
    inner = biased_conv(f'{scope}/Conv', pooled, squeezed, activation=activation)
    gates = biased_conv(
        f'{scope}/Conv_1', inner, net.shape.as_list()[-1], activation=gate
    )
    return tf.multiply(net, gates, name=f'{scope}/Mul')


@dataclasses.dataclass(frozen=True)
class InvertedResidual:
    """An inverted-residual block (arXiv 1801.04381), with a gate inside or without.

    Attributes:
      expanded: inner width.
      channels: output width.
      kernel: size of the depthwise kernel.
      stride: of the depthwise convolution.
      squeezed: inner width of the squeeze-and-excite gate behind the depthwise
        convolution; 0 for no gate.
      activation: behind the expansion and the depthwise convolution.
      squeeze_activation: inside the gate.
      gate: at the end of the gate.
      expands: whether there is a 1x1 expansion; None: if the inner width is not the
        input's.
    """

    expanded: int
    channels: int
    kernel: int = 3
    stride: int = 1
    squeezed: int = 0
    activation: Activation = tf.nn.relu6
    squeeze_activation: Activation = tf.nn.relu
    gate: Activation = tf.sigmoid
    expands: Optional[bool] = None


def inverted_residual(
    layers: Layers, scope: str, net: tf.Tensor, block: InvertedResidual
) -> tf.Tensor:
    """Expand 1x1, depthwise, gate, project 1x1; a shortcut where shapes allow it."""
    shortcut = net
    width = shortcut.shape.as_list()[-1]
    activation = block.activation
    if block.expanded != width if block.expands is None else block.expands:
        net = layers.conv(f'{scope}/expand', net, block.expanded, activation=activation)
    net = layers.depthwise(
        f'{scope}/depthwise', net, block.kernel, block.stride, activation
    )
    if block.squeezed:
        net = squeeze_excite(
            f'{scope}/squeeze_excite',
            net,
            block.squeezed,
            block.squeeze_activation,
            block.gate,
        )
    net = layers.conv(f'{scope}/project', net, block.channels)
    if block.stride == 1 and width == block.channels:
        net = tf.add(shortcut, net, name=f'{scope}/add')
    return net


def residual_stages(
    layers: Layers,
    scope: str,
    net: tf.Tensor,
    stages: Sequence[Tuple[int, int]],
    block: Callable[[Layers, str, tf.Tensor, int, int], tf.Tensor],
) -> List[tf.Tensor]:
    """Stages of residual blocks; every stage but the first halves the resolution.

    Args:
      layers: make the layers.
      scope: of the stages.
      net: input of the first block.
      stages: width and number of blocks of each stage.
      block: adds a block, given layers, scope, input, width and stride.

    Returns:
      The feature map of each stage.
    """
    maps = []
    for stage, (channels, repeats) in enumerate(stages):
        for repeat in range(repeats):
            stride = 2 if stage and repeat == 0 else 1
            name = f'{scope}/stage{stage}_{repeat}'
            net = block(layers, name, net, channels, stride)
        maps.append(net)
    return maps


def basic_block(
    layers: Layers,
    scope: str,
    net: tf.Tensor,
    shortcut: tf.Tensor,
    channels: int,
    stride: int,
) -> tf.Tensor:
    """Two 3x3 convolutions and a shortcut of their shape (arXiv 1512.03385, fig. 2)."""
    net = layers.conv(f'{scope}/conv1', net, channels, 3, stride, tf.nn.relu)
    net = layers.conv(f'{scope}/conv2', net, channels, 3)
    return tf.nn.relu(net + shortcut)


def biases(channels: int) -> tf.Variable:
    """The variable `biases` of the scope, zeros at first."""
    return tf.get_variable('biases', [channels], initializer=tf.initializers.zeros())


def _kernel(
    shape: Sequence[int], initial: Initial = tf.initializers.he_normal
) -> tf.Variable:
    return tf.get_variable('weights', shape, initializer=initial())
