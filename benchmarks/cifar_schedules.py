"""Pruning in rounds, with as many steps of training as behind pruning at once."""

from __future__ import annotations

import dataclasses
import shutil
from typing import Any, Dict, List

import tensorflow.compat.v1 as tf

from benchmarks import training
from benchmarks.training import BATCH, Material, Network, Recipe
from demo.datasets import pipelines
from tf1pruning.channels import select
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination
from tf1pruning.data.dataset import Split
from tf1pruning.schedules import paces, schedule
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.paces import Pace
from tf1pruning.schedules.run import prune_finetune
from tf1pruning.schedules.schedule import Done

ROUNDS, BY = 3, 'l1'
LAYERS_ALIKE = Combination('mean', 'l2')


@dataclasses.dataclass(frozen=True)
class Way:
    """How the rounds go.

    Attributes:
      pace: how much is gone after each of them.
      rate_restarts: whether the optimizer and the decay of its learning rate begin
        anew in each round; else one decay goes over all of them.
    """

    pace: Pace
    rate_restarts: bool = False


WAYS = {
    'harmonic': Way(paces.harmonic),
    'linear': Way(paces.linear),
    'cubic': Way(paces.cubic),
    'linear_restarts': Way(paces.linear, rate_restarts=True),
}


@dataclasses.dataclass(frozen=True)
class Start:
    """What is pruned, and how it is trained then.

    Attributes:
      network: builds it.
      checkpoint: its weights.
      material: to train on.
      recipe: of all rounds together.
    """

    network: Network
    checkpoint: str
    material: Material
    recipe: Recipe


def in_rounds(start: Start, way: Way, share: float, folder: str) -> Dict[str, Any]:
    """Removes a share of each group in rounds, with training behind each of them.

    Every round goes on in the images where the one before it stopped, so that all
    rounds together see what a single training of as many steps sees.

    Returns:
      Test accuracy at the end, and the MACs of what is left.
    """
    shutil.rmtree(folder, ignore_errors=True)
    material, steps = start.material, start.recipe.steps // ROUNDS
    decay = steps if way.rate_restarts else start.recipe.steps
    recipe = dataclasses.replace(start.recipe, steps=decay)
    done: List[Done] = []
    prune_finetune(
        training.model_fn,
        lambda: _images(material, len(done) * steps),
        schedule=schedule.spread(Choice(ratio=share), ROUNDS, steps, way.pace),
        checkpoint=start.checkpoint,
        output_dir=folder,
        options=_options(way, material.seed),
        eval_input_fn=pipelines.eval_input_fn(material.dataset),
        params={'network': start.network, 'recipe': recipe},
        config=training.config(material, steps),
        on_round=done.append,
    )
    return {'accuracy': done[-1].metrics['accuracy'], 'macs': done[-1].macs}


def _images(material: Material, steps: int) -> tf.data.Dataset:
    """What a training sees after so many steps."""
    split = turned(material.split, steps * BATCH)
    dataset, seed = material.dataset, material.seed
    return pipelines.train_input_fn(dataset, BATCH, seed, split=split)()


def _options(way: Way, seed: int) -> Options:
    return Options(
        criterion=BY,
        combination=LAYERS_ALIKE,
        groups=select.ALL,
        keep_optimizer=not way.rate_restarts,
        seed=seed,
    )


def turned(split: Split, start: int) -> Split:
    """The same images, beginning with number `start`; counted around the end."""
    start %= split.count
    return Split(
        lambda: split.read().skip(start).concatenate(split.read().take(start)),
        split.count,
    )
