"""What `benchmarks.repair` trains and prunes, and what is to be reached."""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Optional, Tuple

import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import cifar
from benchmarks.training import BATCH, Network, Recipe
from demo.datasets import registry
from demo.networks import mlp, mobilenet_v2, resnet_cifar
from demo.networks.layers import Layers
from tf1pruning.data.dataset import Dataset

_TEST_SHARE = 0.3


@dataclasses.dataclass(frozen=True)
class Way:
    """How it is chosen what goes.

    Attributes:
      criterion: that ranks the channels of a group.
      has_table: whether the widths come from a table; else each group loses the same
        share.
      distilled: whether the network is distilled, too.
    """

    criterion: str
    has_table: bool = False
    distilled: bool = False

    @property
    def label(self) -> str:
        """What a page calls it."""
        return f'{self.criterion}, table' if self.has_table else self.criterion


@dataclasses.dataclass(frozen=True)
class Goals:
    """Accuracies in %, by level.

    Attributes:
      repaired: without a training.
      distilled: with one, on images without labels.
      are_losses: whether they count from the unpruned network down.
    """

    repaired: Tuple[float, ...]
    distilled: Tuple[float, ...]
    are_losses: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, its data, and what is done with it.

    Attributes:
      name: of the section.
      title: of the section.
      about: a sentence on the network.
      load: `load(data_dir, seed)` reads the data.
      network: what is trained.
      recipe: how.
      samples: images that repair sees.
      levels: shares that go.
      of_units: whether they are shares of each group; else of the MACs.
      ways: how it is chosen what goes; the distilled one comes last.
      goals: what is to be reached.
      lessons: images that distillation sees.
      batch: of them.
      distillation: how the network is distilled.
      first_seed: those before it were looked at while the method was worked on.
    """

    name: str
    title: str
    about: str
    load: Callable[[Optional[str], int], Dataset]
    network: Network
    recipe: Recipe
    samples: int
    levels: Tuple[float, ...]
    of_units: bool
    ways: Tuple[Way, ...]
    goals: Goals
    lessons: int
    batch: int
    distillation: tp.DistillOptions
    first_seed: int = 0


def _digits(data_dir: Optional[str], seed: int) -> Dataset:
    return registry.load('digits', data_dir, _TEST_SHARE, seed)


def _mnist(data_dir: Optional[str], seed: int) -> Dataset:
    del seed  # It has test images of its own.
    return registry.load('mnist', data_dir)


def _cifar10(data_dir: Optional[str], seed: int) -> Dataset:
    del seed
    return cifar.halved(registry.load('cifar10', data_dir))


def _mobilenet(images: tf.Tensor, is_training: bool) -> tf.Tensor:
    return mobilenet_v2.build(images, mobilenet_v2.small(10), is_training)


def _mlp(images: tf.Tensor, is_training: bool) -> tf.Tensor:
    del is_training  # It has neither batch norm nor dropout.
    return mlp.build(images, mlp.Config(hidden=mlp.DEEP, biases=True))


def _resnet(images: tf.Tensor, is_training: bool) -> tf.Tensor:
    layers = Layers(is_training, cifar.DECAY)
    return resnet_cifar.build(images, cifar.CONFIG, layers)


# Three short runs of 50 steps choose the rate, and 250 follow: 400 in all.
_STEPS = tp.DistillOptions(steps=250)
# An epoch of all that is not held out.
_EPOCH = tp.DistillOptions(steps=50_000 * 8 // 10 // BATCH)

_ALL = (
    Case(
        'digits',
        'Repair: the network of the demo, digits',
        "The demo's MobileNetV2 (`small`) with the losses of the demo, trained for 800 "
        'steps: momentum with cosine decay from 0.05, batch 128.',
        _digits,
        _mobilenet,
        Recipe(800, 'momentum', 0.05, weight_decay=5e-4, l1=6e-4),
        512,
        (0.25, 0.5, 0.75),
        True,
        (Way('l1'), Way('l2'), Way('reconstruction', distilled=True)),
        Goals((0.4, 1.0, 6.5), (0.3, 0.5, 2.0), are_losses=True),
        512,
        64,
        _STEPS,
        first_seed=3,
    ),
    Case(
        'mnist',
        'Repair: 784-1000-1000-500-200-10, MNIST',
        'The network of the section on MNIST, trained for 4 epochs: Adam at 0.001 with '
        'cosine decay, batch 128, nothing added to the loss.',
        _mnist,
        _mlp,
        Recipe(4 * 60_000 // BATCH, 'adam', 1e-3, biases=False),
        4000,
        (0.8, 0.9, 0.95),
        True,
        (Way('l2'), Way('reconstruction', distilled=True)),
        Goals((97.0, 90.0, 75.0), (97.5, 97.0, 94.0)),
        4000,
        128,
        _STEPS,
    ),
    Case(
        'cifar10',
        'Repair: a ResNet, CIFAR-10',
        'Network, images and training are those of the section on CIFAR-10.',
        _cifar10,
        _resnet,
        Recipe(10 * 50_000 // BATCH, 'momentum', 0.1, weight_decay=5e-4),
        2000,
        (0.3, 0.5, 0.7),
        False,
        (
            Way('l1'),
            Way('reconstruction'),
            Way('reconstruction', has_table=True, distilled=True),
        ),
        Goals((71.0, 68.0, 61.5), (72.0, 70.5, 66.0)),
        50_000,
        128,
        _EPOCH,
        first_seed=1,
    ),
)
CASES: Dict[str, Case] = {case.name: case for case in _ALL}
