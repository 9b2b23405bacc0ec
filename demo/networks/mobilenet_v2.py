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
from typing import Dict, Iterator, Mapping, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from demo.networks import layers as layers_lib
from demo.networks.layers import Activation, InvertedResidual, Layers, Scaled

SCOPE = 'MobilenetV2'

ACTIVATIONS: Dict[str, Activation] = {
    'relu6': tf.nn.relu6,
    'relu': tf.nn.relu,
    'swish': tf.nn.swish,
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run of inverted-residual blocks; the first one has the stride.

    Raises:
      ValueError: if a number is below 1.
    """

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
class MobileNetV2Config(Scaled):
    """Everything that decides the shape of the network.

    Attributes:
      widths: scope of a layer -> its width, for the inner layers that are narrower than
        the rest says: after pruning, `Plan.layer_widths`.

    Raises:
      ValueError: on an unknown activation, a number out of range, or squeeze-and-excite
        blocks behind blocks that do not exist.
    """

    stages: Tuple[Stage, ...] = STANDARD_STAGES
    squeeze_excites: Tuple[SqueezeExcite, ...] = ()
    stem_channels: int = 32
    stem_stride: int = 2
    head_channels: int = 1280
    activation: str = 'relu6'
    dropout: float = 0.0
    batch_norm_decay: float = 0.997
    widths: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f'activation is {self.activation!r}; expected one of '
                f'{", ".join(sorted(ACTIVATIONS))}.'
            )
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

    @property
    def least_side(self) -> int:
        """Height and width below which a stride has but one pixel to step over."""
        strides = [self.stem_stride, *(stage.stride for stage in self.stages)]
        larger = [stride for stride in strides if stride > 1]
        return int(np.prod(larger[:-1])) + 1 if larger else 1


def standard(classes: int = 1000) -> MobileNetV2Config:
    """MobileNetV2 1.0, for 224 x 224 x 3 images: 3.5 M parameters, 300 M MACs."""
    return MobileNetV2Config(classes=classes)


def small(classes: int) -> MobileNetV2Config:
    """The network of the demo: 0.1 M parameters, 6.8 M MACs on 32 x 32 pixels."""
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


def tiny(classes: int) -> MobileNetV2Config:
    """Two blocks and a gate: to see in seconds whether everything is set up."""
    return MobileNetV2Config(
        classes=classes,
        stages=(Stage(expansion=6, channels=8, repeats=2, stride=1),),
        squeeze_excites=(SqueezeExcite(after=1),),
        stem_channels=8,
        head_channels=16,
        batch_norm_decay=0.9,
    )


def block_scope(index: int) -> str:
    """Scope of the inverted-residual block number `index`."""
    suffix = f'_{index}' if index else ''
    return f'{SCOPE}/expanded_conv{suffix}'


def pruning_scopes(config: MobileNetV2Config) -> Tuple[str, ...]:
    """Scopes to prune: all squeeze-and-excite and all expanding blocks."""
    expanding = [
        f'{block_scope(index)}/'
        for index, (stage, _) in enumerate(_repeats(config))
        if stage.expansion > 1
    ]
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
    layers = Layers(is_training, config.batch_norm_decay)
    activation = ACTIVATIONS[config.activation]
    with tf.variable_scope(tf.get_variable_scope(), use_resource=False):
        net = layers.conv(
            f'{SCOPE}/Conv',
            images,
            config.scaled(config.stem_channels),
            kernel=3,
            stride=config.stem_stride,
            activation=activation,
        )
        net = _blocks(layers, net, config)
        # Narrow networks keep the wide head, as in the paper.
        head = max(config.head_channels, config.scaled(config.head_channels))
        net = layers.conv(f'{SCOPE}/Conv_1', net, head, activation=activation)
        net = tf.reduce_mean(net, [1, 2], keepdims=True, name=f'{SCOPE}/Logits/AvgPool')
        if is_training and config.dropout:
            net = tf.nn.dropout(net, rate=config.dropout)
        scope = f'{SCOPE}/Logits/Conv2d_1c_1x1'
        net = layers_lib.biased_conv(scope, net, config.classes)
        logits = tf.squeeze(net, [1, 2], name=f'{SCOPE}/Logits/Squeeze')
    return tf.identity(logits, name='output')


def _blocks(layers: Layers, net: tf.Tensor, config: MobileNetV2Config) -> tf.Tensor:
    excites = 0
    for index, (stage, repeat) in enumerate(_repeats(config)):
        scope = block_scope(index)
        expanded = net.shape.as_list()[-1] * stage.expansion
        block = InvertedResidual(
            expanded=config.widths.get(f'{scope}/expand', expanded),
            channels=config.scaled(stage.channels),
            stride=stage.stride if repeat == 0 else 1,
            activation=ACTIVATIONS[config.activation],
            expands=stage.expansion > 1,
        )
        net = layers_lib.inverted_residual(layers, scope, net, block)
        for excite in config.squeeze_excites:
            if excite.after == index:
                excites += 1
                scope = f'SE{excites}'
                squeezed = max(4, net.shape.as_list()[-1] // excite.reduction)
                squeezed = config.widths.get(f'{scope}/Conv', squeezed)
                net = layers_lib.squeeze_excite(scope, net, squeezed)
    return net


def _repeats(config: MobileNetV2Config) -> Iterator[Tuple[Stage, int]]:
    """Every block: its stage and its number in the stage."""
    for stage in config.stages:
        for repeat in range(stage.repeats):
            yield stage, repeat
