"""MobileNetV2 (Sandler et al., arXiv 1801.04381) as a plain TF1 graph.

`build` adds the network to the current graph and returns its logits; their node is
named `output`. All variables are ref variables (`VariableV2`) with these names:

    MobilenetV2/Conv/weights                       stem, 3x3
    MobilenetV2/Conv/BatchNorm/{gamma,beta,moving_mean,moving_variance}
    MobilenetV2/expanded_conv/...                  first block
    MobilenetV2/expanded_conv_N/expand/weights     N = 1, 2, ...; absent at expansion 1
    MobilenetV2/expanded_conv_N/depthwise/depthwise_weights
    MobilenetV2/expanded_conv_N/project/weights
    SEn/{Conv,Conv_1}/{weights,biases}             squeeze-and-excite, n = 1, 2, ...
    MobilenetV2/Conv_1/weights                     head, 1x1
    MobilenetV2/Logits/Conv2d_1c_1x1/{weights,biases}

A squeeze-and-excite block (Hu et al., arXiv 1709.01507) stands behind the block that
the configuration names and scales that block's output.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, List, Tuple

import tensorflow.compat.v1 as tf

SCOPE = 'MobilenetV2'

ACTIVATIONS: Dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    'relu6': tf.nn.relu6,
    'relu': tf.nn.relu,
    'swish': tf.nn.swish,
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run of inverted-residual blocks; the first one has the stride."""

    expansion: int
    channels: int
    repeats: int
    stride: int

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ValueError(f'Stage.{field.name} is {value}; expected 1 or more.')


@dataclasses.dataclass(frozen=True)
class SqueezeExcite:
    """A squeeze-and-excite block behind the inverted-residual block `after`.

    `after` counts blocks as the scopes do: 0 is `expanded_conv`, 3 `expanded_conv_3`.
    The inner width is the block's width over `reduction`, at least 4.
    """

    after: int
    reduction: int = 4


# Table 2 of the paper.
STANDARD_STAGES = (
    Stage(expansion=1, channels=16, repeats=1, stride=1),
    Stage(expansion=6, channels=24, repeats=2, stride=2),
    Stage(expansion=6, channels=32, repeats=3, stride=2),
    Stage(expansion=6, channels=64, repeats=4, stride=2),
    Stage(expansion=6, channels=96, repeats=3, stride=1),
    Stage(expansion=6, channels=160, repeats=3, stride=2),
    Stage(expansion=6, channels=320, repeats=1, stride=1),
)


@dataclasses.dataclass(frozen=True)
class MobileNetV2Config:
    """Everything that decides the shape of the network."""

    classes: int = 1000
    stages: Tuple[Stage, ...] = STANDARD_STAGES
    squeeze_excites: Tuple[SqueezeExcite, ...] = ()
    width: float = 1.0
    stem_channels: int = 32
    stem_stride: int = 2
    head_channels: int = 1280
    activation: str = 'relu6'
    dropout: float = 0.0
    batch_norm_decay: float = 0.997
    batch_norm_epsilon: float = 1e-3

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f'activation is {self.activation!r}; expected one of '
                f'{", ".join(sorted(ACTIVATIONS))}.'
            )
        if self.width <= 0:
            raise ValueError(f'width is {self.width}; expected a positive number.')
        if not 0 <= self.dropout < 1:
            raise ValueError(f'dropout is {self.dropout}; expected 0 <= dropout < 1.')
        places = [block.after for block in self.squeeze_excites]
        if places != sorted(set(places)):
            raise ValueError(
                f'squeeze_excites stand behind {places}; expected each block '
                'once, in order.'
            )
        if places and not 0 <= places[0] <= places[-1] < self.block_count:
            raise ValueError(
                f'squeeze_excites stand behind {places}; blocks are 0 to '
                f'{self.block_count - 1}.'
            )

    @property
    def block_count(self) -> int:
        """Number of inverted-residual blocks."""
        return sum(stage.repeats for stage in self.stages)

    def scaled(self, channels: int) -> int:
        """`channels` times the width multiplier, as a multiple of 8 ."""
        return make_divisible(channels * self.width, 8)


def standard(classes: int = 1000) -> MobileNetV2Config:
    """MobileNetV2 1.0, for 224 x 224 x 3 images: 3.5 M parameters, 300 M MACs."""
    return MobileNetV2Config(classes=classes)


def small(classes: int) -> MobileNetV2Config:
    """The network of the demo, for 32 x 32 images: 0.1 M parameters, 6.8 M MACs."""
    return MobileNetV2Config(
        classes=classes,
        stages=(
            Stage(expansion=1, channels=16, repeats=1, stride=1),
            Stage(expansion=6, channels=24, repeats=2, stride=1),
            Stage(expansion=6, channels=32, repeats=2, stride=2),
            Stage(expansion=6, channels=48, repeats=2, stride=2),
        ),
        squeeze_excites=tuple(SqueezeExcite(after=block) for block in (2, 4, 6)),
        stem_channels=16,
        head_channels=128,
        # Short trainings: the statistics must follow within a hundred steps.
        batch_norm_decay=0.9,
    )


def make_divisible(channels: float, divisor: int) -> int:
    """Nearest multiple of `divisor` that is not more than 10 % below `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def block_scope(index: int) -> str:
    """Scope of the inverted-residual block number `index`."""
    suffix = f'_{index}' if index else ''
    return f'{SCOPE}/expanded_conv{suffix}'


def pruning_scopes(config: MobileNetV2Config) -> Tuple[str, ...]:
    """Scopes to prune: all squeeze-and-excite and all expanding blocks."""
    expanding = []
    index = 0
    for stage in config.stages:
        for _ in range(stage.repeats):
            if stage.expansion > 1:
                expanding.append(f'{block_scope(index)}/')
            index += 1
    excites = [f'SE{n + 1}' for n in range(len(config.squeeze_excites))]
    return tuple(excites + expanding)


def build(
    images: tf.Tensor, config: MobileNetV2Config, is_training: bool = False
) -> tf.Tensor:
    """Adds the network to the graph of `images`.

    Args:
      images: float32 `[batch, height, width, channels]`.
      config: the shape of the network.
      is_training: batch statistics and dropout if true. The updates of the moving
        statistics are then in `tf.GraphKeys.UPDATE_OPS`.

    Returns:
      Logits `[batch, classes]`; the node is named `output`.
    """
    layers = _Layers(config, is_training)
    with tf.variable_scope(tf.get_variable_scope(), use_resource=False):
        net = layers.conv(
            f'{SCOPE}/Conv',
            images,
            config.scaled(config.stem_channels),
            kernel=3,
            stride=config.stem_stride,
        )
        net = _blocks(layers, net)
        # Narrow networks keep the wide head, as in the paper.
        head = max(config.head_channels, config.scaled(config.head_channels))
        net = layers.conv(f'{SCOPE}/Conv_1', net, head)
        net = tf.reduce_mean(net, [1, 2], keepdims=True, name=f'{SCOPE}/Logits/AvgPool')
        if is_training and config.dropout:
            net = tf.nn.dropout(net, rate=config.dropout)
        net = layers.biased_conv(f'{SCOPE}/Logits/Conv2d_1c_1x1', net, config.classes)
        logits = tf.squeeze(net, [1, 2], name=f'{SCOPE}/Logits/Squeeze')
    return tf.identity(logits, name='output')


def _blocks(layers: _Layers, net: tf.Tensor) -> tf.Tensor:
    config = layers.config
    index = 0
    excites = 0
    for stage in config.stages:
        for repeat in range(stage.repeats):
            net = _inverted_residual(
                layers,
                block_scope(index),
                net,
                stage.expansion,
                config.scaled(stage.channels),
                stride=stage.stride if repeat == 0 else 1,
            )
            for block in config.squeeze_excites:
                if block.after == index:
                    excites += 1
                    net = _squeeze_excite(layers, f'SE{excites}', net, block.reduction)
            index += 1
    return net


def _inverted_residual(
    layers: _Layers, scope: str, net: tf.Tensor, expansion: int, width: int, stride: int
) -> tf.Tensor:
    """Expand 1x1, depthwise 3x3, project 1x1; a shortcut where the shapes allow it."""
    shortcut = net
    inner = shortcut.shape[-1].value * expansion
    if expansion > 1:
        net = layers.conv(f'{scope}/expand', net, inner)
    net = layers.depthwise(f'{scope}/depthwise', net, stride)
    net = layers.conv(f'{scope}/project', net, width, activate=False)
    if stride == 1 and shortcut.shape[-1].value == width:
        net = tf.add(shortcut, net, name=f'{scope}/add')
    return net


def _squeeze_excite(
    layers: _Layers, scope: str, net: tf.Tensor, reduction: int
) -> tf.Tensor:
    """Multiplies each channel of `net` by a gate that sees all channels."""
    width = net.shape[-1].value
    gate = tf.reduce_mean(net, [1, 2], keepdims=True, name=f'{scope}/AvgPool')
    gate = layers.biased_conv(f'{scope}/Conv', gate, max(4, width // reduction))
    gate = tf.nn.relu(gate, name=f'{scope}/Conv/Relu')
    gate = layers.biased_conv(f'{scope}/Conv_1', gate, width)
    gate = tf.sigmoid(gate, name=f'{scope}/Conv_1/Sigmoid')
    return tf.multiply(net, gate, name=f'{scope}/Mul')


class _Layers:
    """The three kinds of layer, with their variables and batch norm."""

    def __init__(self, config: MobileNetV2Config, is_training: bool):
        self.config = config
        self._is_training = is_training

    def conv(
        self,
        scope: str,
        net: tf.Tensor,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activate: bool = True,
    ) -> tf.Tensor:
        """Convolution without bias, batch norm, activation if `activate`."""
        with tf.variable_scope(scope):
            shape = [kernel, kernel, net.shape[-1].value, channels]
            weights = _variable('weights', shape, tf.initializers.he_normal())
            net = tf.nn.conv2d(net, weights, strides=stride, padding='SAME')
            net = self._batch_norm(net)
            return self._activation(net) if activate else net

    def depthwise(self, scope: str, net: tf.Tensor, stride: int) -> tf.Tensor:
        """Depthwise 3x3 convolution, batch norm, activation."""
        with tf.variable_scope(scope):
            # The default fan of [3, 3, c, 1] counts the c channels; each sees 9 inputs.
            initializer = tf.initializers.truncated_normal(stddev=(2 / 9) ** 0.5)
            shape = [3, 3, net.shape[-1].value, 1]
            weights = _variable('depthwise_weights', shape, initializer)
            net = tf.nn.depthwise_conv2d(
                net, weights, strides=[1, stride, stride, 1], padding='SAME'
            )
            return self._activation(self._batch_norm(net))

    def biased_conv(self, scope: str, net: tf.Tensor, channels: int) -> tf.Tensor:
        """1x1 convolution with bias and nothing behind it."""
        with tf.variable_scope(scope):
            shape = [1, 1, net.shape[-1].value, channels]
            weights = _variable('weights', shape, tf.initializers.glorot_normal())
            biases = _variable('biases', [channels], tf.initializers.zeros())
            net = tf.nn.conv2d(net, weights, strides=1, padding='SAME')
            return tf.nn.bias_add(net, biases)

    def _activation(self, net: tf.Tensor) -> tf.Tensor:
        return ACTIVATIONS[self.config.activation](net)

    def _batch_norm(self, net: tf.Tensor) -> tf.Tensor:
        with tf.variable_scope('BatchNorm'):
            shape = [net.shape[-1].value]
            gamma = _variable('gamma', shape, tf.initializers.ones())
            beta = _variable('beta', shape, tf.initializers.zeros())
            mean = _statistic('moving_mean', shape, tf.initializers.zeros())
            variance = _statistic('moving_variance', shape, tf.initializers.ones())
            epsilon = self.config.batch_norm_epsilon
            if not self._is_training:
                net, _, _ = tf.nn.fused_batch_norm(
                    net, gamma, beta, mean, variance, epsilon, is_training=False
                )
                return net
            net, batch_mean, batch_variance = tf.nn.fused_batch_norm(
                net, gamma, beta, epsilon=epsilon, is_training=True
            )
            self._update(mean, batch_mean)
            self._update(variance, batch_variance)
            return net

    def _update(self, moving: tf.Variable, batch: tf.Tensor) -> None:
        step = (moving - batch) * (1 - self.config.batch_norm_decay)
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_sub(moving, step))


def _variable(
    name: str, shape: List[int], initializer: tf.keras.initializers.Initializer
) -> tf.Variable:
    return tf.get_variable(name, shape, tf.float32, initializer)


def _statistic(
    name: str, shape: List[int], initializer: tf.keras.initializers.Initializer
) -> tf.Variable:
    return tf.get_variable(name, shape, tf.float32, initializer, trainable=False)
