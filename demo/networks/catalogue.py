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
      parameters: trainable parameters of `config`, as published where they are.
      image: height, width and channels of an input image; by default of ImageNet.
      outputs: names of the output nodes.
    """

    name: str
    build: Callable[..., Any]
    config: Scaled
    parameters: int
    image: Tuple[int, int, int] = (224, 224, 3)
    outputs: Tuple[str, ...] = ('output',)


_CIFAR = (32, 32, 3)
_MNIST = (28, 28, 1)
_EXCITES = tuple(mobilenet_v2.SqueezeExcite(after=block) for block in range(17))
_WITH_EXCITES = dataclasses.replace(mobilenet_v2.standard(), squeeze_excites=_EXCITES)
_RESNET_34 = resnet.Config(stages=resnet.RESNET_34_STAGES)
_VGG_11, _VGG_16, _VGG_19 = (
    vgg.Config(stages=vgg.stages(*repeats))
    for repeats in ((1, 1, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4))
)

_ALL = (
    Network('mobilenet_v1', mobilenet_v1.build, mobilenet_v1.Config(), 4_231_976),
    Network('mobilenet_v2', mobilenet_v2.build, mobilenet_v2.standard(), 3_504_872),
    Network('mobilenet_v2_se', mobilenet_v2.build, _WITH_EXCITES, 3_620_608),
    Network('mobilenet_v3', mobilenet_v3.build, mobilenet_v3.Config(), 5_483_032),
    Network('efficientnet_b0', efficientnet.build, efficientnet.Config(), 5_288_548),
    Network('shufflenet_v2', shufflenet_v2.build, shufflenet_v2.Config(), 2_278_604),
    Network('squeezenet', squeezenet.build, squeezenet.Config(), 1_235_496),
    Network('ghostnet', ghostnet.build, ghostnet.Config(), 5_182_508),
    Network('unet', unet.build, unet.Config(), 31_037_698, (256, 256, 3)),
    Network(
        'feature_pyramid',
        feature_pyramid.build,
        feature_pyramid.Config(),
        34_068_119,
        (256, 256, 3),
        ('boxes', 'scores'),
    ),
    Network(
        'super_resolution',
        super_resolution.build,
        super_resolution.Config(),
        1_369_859,
        (64, 64, 3),
    ),
    Network('resnet_18', resnet.build, resnet.Config(), 11_689_512),
    Network('resnet_34', resnet.build, _RESNET_34, 21_797_672),
    Network(
        'resnet_20',
        resnet_cifar.build,
        resnet_cifar.Config(repeats=3),
        269_722,
        _CIFAR,
    ),
    Network('resnet_56', resnet_cifar.build, resnet_cifar.Config(), 853_018, _CIFAR),
    Network('small_conv', small_conv.build, small_conv.Config(), 188_810, _CIFAR),
    Network('alexnet', alexnet.build, alexnet.Config(), 61_100_840),
    Network('vgg_11', vgg.build, _VGG_11, 132_863_336),
    Network('vgg_13', vgg.build, vgg.Config(), 133_047_848),
    Network('vgg_16', vgg.build, _VGG_16, 138_357_544),
    Network('vgg_19', vgg.build, _VGG_19, 143_667_240),
    Network('mlp', mlp.build, mlp.Config(), 266_200, _MNIST),
    Network('mlp_deep', mlp.build, mlp.Config(hidden=mlp.DEEP), 2_386_000, _MNIST),
)

NETWORKS: Dict[str, Network] = {network.name: network for network in _ALL}
