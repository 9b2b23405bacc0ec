"""The networks of the zoo by name, at full size."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, Tuple

from demo.networks import (
    alexnet,
    efficientnet,
    feature_pyramid,
    ghostnet,
    mlp,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    resnet_cifar,
    shufflenet_v2,
    small_conv,
    squeezenet,
    super_resolution,
    unet,
    vgg,
)
from demo.networks.layers import Scaled


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of the zoo.

    Attributes:
      name: for people and tests.
      build: `build(images, config)` adds the network to the graph.
      config: settings of full size.
      image: height, width and channels of an input image.
      outputs: names of the output nodes.
      parameters: trainable parameters of `config`, as published where they are.
    """

    name: str
    build: Callable[..., Any]
    config: Scaled
    image: Tuple[int, int, int]
    outputs: Tuple[str, ...]
    parameters: int


_IMAGENET = (224, 224, 3)
_CIFAR = (32, 32, 3)
_LOGITS = ('output',)
_EXCITES = tuple(mobilenet_v2.SqueezeExcite(after=block) for block in range(17))

_ALL = (
    Network(
        'mobilenet_v1',
        mobilenet_v1.build,
        mobilenet_v1.Config(),
        _IMAGENET,
        _LOGITS,
        4_231_976,
    ),
    Network(
        'mobilenet_v2',
        mobilenet_v2.build,
        mobilenet_v2.standard(),
        _IMAGENET,
        _LOGITS,
        3_504_872,
    ),
    Network(
        'mobilenet_v2_se',
        mobilenet_v2.build,
        dataclasses.replace(mobilenet_v2.standard(), squeeze_excites=_EXCITES),
        _IMAGENET,
        _LOGITS,
        3_620_608,
    ),
    Network(
        'mobilenet_v3',
        mobilenet_v3.build,
        mobilenet_v3.Config(),
        _IMAGENET,
        _LOGITS,
        5_483_032,
    ),
    Network(
        'efficientnet_b0',
        efficientnet.build,
        efficientnet.Config(),
        _IMAGENET,
        _LOGITS,
        5_288_548,
    ),
    Network(
        'shufflenet_v2',
        shufflenet_v2.build,
        shufflenet_v2.Config(),
        _IMAGENET,
        _LOGITS,
        2_278_604,
    ),
    Network(
        'squeezenet',
        squeezenet.build,
        squeezenet.Config(),
        _IMAGENET,
        _LOGITS,
        1_235_496,
    ),
    Network(
        'ghostnet',
        ghostnet.build,
        ghostnet.Config(),
        _IMAGENET,
        _LOGITS,
        5_182_508,
    ),
    Network(
        'unet',
        unet.build,
        unet.Config(),
        (256, 256, 3),
        _LOGITS,
        31_037_698,
    ),
    Network(
        'feature_pyramid',
        feature_pyramid.build,
        feature_pyramid.Config(),
        (256, 256, 3),
        ('boxes', 'scores'),
        34_068_119,
    ),
    Network(
        'super_resolution',
        super_resolution.build,
        super_resolution.Config(),
        (64, 64, 3),
        _LOGITS,
        1_369_859,
    ),
    Network(
        'resnet_18',
        resnet.build,
        resnet.Config(),
        _IMAGENET,
        _LOGITS,
        11_689_512,
    ),
    Network(
        'resnet_34',
        resnet.build,
        resnet.Config(stages=resnet.RESNET_34_STAGES),
        _IMAGENET,
        _LOGITS,
        21_797_672,
    ),
    Network(
        'resnet_20',
        resnet_cifar.build,
        resnet_cifar.Config(repeats=3),
        _CIFAR,
        _LOGITS,
        269_722,
    ),
    Network(
        'resnet_56',
        resnet_cifar.build,
        resnet_cifar.Config(),
        _CIFAR,
        _LOGITS,
        853_018,
    ),
    Network(
        'small_conv',
        small_conv.build,
        small_conv.Config(),
        _CIFAR,
        _LOGITS,
        188_810,
    ),
    Network(
        'alexnet',
        alexnet.build,
        alexnet.Config(),
        _IMAGENET,
        _LOGITS,
        61_100_840,
    ),
    Network(
        'vgg_11',
        vgg.build,
        vgg.Config(stages=vgg.stages(1, 1, 2, 2, 2)),
        _IMAGENET,
        _LOGITS,
        132_863_336,
    ),
    Network(
        'vgg_13',
        vgg.build,
        vgg.Config(),
        _IMAGENET,
        _LOGITS,
        133_047_848,
    ),
    Network(
        'vgg_16',
        vgg.build,
        vgg.Config(stages=vgg.stages(2, 2, 3, 3, 3)),
        _IMAGENET,
        _LOGITS,
        138_357_544,
    ),
    Network(
        'vgg_19',
        vgg.build,
        vgg.Config(stages=vgg.stages(2, 2, 4, 4, 4)),
        _IMAGENET,
        _LOGITS,
        143_667_240,
    ),
    Network(
        'mlp',
        mlp.build,
        mlp.Config(),
        (28, 28, 1),
        _LOGITS,
        266_200,
    ),
    Network(
        'mlp_deep',
        mlp.build,
        mlp.Config(hidden=mlp.DEEP),
        (28, 28, 1),
        _LOGITS,
        2_386_000,
    ),
)

NETWORKS: Dict[str, Network] = {network.name: network for network in _ALL}
