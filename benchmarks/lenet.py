"""LeNet-5-Caffe on MNIST, pruned in rounds by the ordinary tools.

  python -m benchmarks.lenet --data_dir path/of/mnist

Trains the network, and makes it smaller in rounds: channels go by l1, what is left is
repaired on images without labels, stripped, and trained on with labels; all that with
several seeds. Images that are never trained on are for looking on the way; the test
images are looked at once, for what is shown. Writes a section of docs/results.md. A run
that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any, Dict, NamedTuple, Tuple

import tensorflow.compat.v1 as tf
from absl import flags

import tf1pruning as tp
from benchmarks import lenet_page, results_page, training
from benchmarks.lenet_page import BASELINE
from benchmarks.resumable import Found, Pieces
from benchmarks.training import BATCH, Material, Recipe, Stripped
from demo.datasets import pipelines, registry
from demo.networks import lenet
from tf1pruning import plan as plan_lib
from tf1pruning.choosing import groupwise
from tf1pruning.cli import program
from tf1pruning.data.dataset import Dataset
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.steps import width_measuring
from tf1pruning.steps.ranking import ranking_by

FLAGS = flags.FLAGS

BY, SAMPLES, EPOCHS, HELD_OUT = 'l1', 2000, 10, 5000
_DECAY, _RATE = 1e-4, 1e-3
# Test errors with seed 0 were looked at before the rounds were what they are.
_FIRST = 1


class Round(NamedTuple):
    """How wide the network is afterwards, and for how long it is trained then."""

    widths: Tuple[int, int, int]
    epochs: int


# The last two are shown.
ROUNDS = (
    Round((10, 32, 300), 3),
    Round((6, 22, 240), 6),
    Round((4, 16, 200), 30),
    Round((3, 14, 180), 30),
)
SHOWN = tuple(each.widths for each in ROUNDS[-2:])


@dataclasses.dataclass(frozen=True)
class Study:
    """All trainings with one seed, in a folder of their own.

    Attributes:
      dataset: its test images give the errors.
      material: to train on; its test images are held out.
      samples: images that repair sees.
      folder: of the trainings.
    """

    dataset: Dataset
    material: Material
    samples: int
    folder: str

    def recipe(self, epochs: int) -> Recipe:
        """Of so many epochs."""
        steps = epochs * self.material.split.count // BATCH
        return Recipe(steps, 'adam', _RATE, weight_decay=_DECAY)

    def path(self, *names: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, *names)


def network(images: tf.Tensor, is_training: bool) -> tf.Tensor:
    """Builds the network in the default graph, and returns the logits."""
    del is_training  # It has neither batch norm nor dropout.
    return lenet.build(images)


def main() -> None:
    """Runs and writes."""
    dataset = registry.load('mnist', FLAGS.data_dir)
    settings = [[*each.widths, each.epochs] for each in ROUNDS]
    found = []
    for seed in range(_FIRST, _FIRST + FLAGS.seeds):
        study = study_of(
            dataset, seed, HELD_OUT, os.path.join(FLAGS.output_dir, f'seed_{seed}')
        )
        recipe = [BY, SAMPLES, HELD_OUT, EPOCHS, _DECAY, _RATE]
        how = {'rounds': settings, 'recipe': recipe}
        pieces = Pieces(study.path('pieces.json'), {'seed': seed, **how})
        found.append(measured(study, pieces))
    facts = {
        'first': _FIRST,
        'last': _FIRST + FLAGS.seeds - 1,
        'by': BY,
        'samples': SAMPLES,
        'held_out': HELD_OUT,
        'epochs': EPOCHS,
        'tune_epochs': sum(each.epochs for each in ROUNDS),
        'rate': _RATE,
    }
    section = lenet_page.section(facts, SHOWN, found)
    results_page.write_section(FLAGS.document, 'lenet', section)


def study_of(dataset: Dataset, seed: int, held_out: int, folder: str) -> Study:
    """The study with a seed; the last images for training are held out."""
    whole = dataset.train
    kept = pipelines.part(whole, 0, whole.count - held_out)
    rest = pipelines.part(whole, whole.count - held_out, whole.count)
    material = Material(dataclasses.replace(dataset, test=rest), kept, seed)
    return Study(dataset, material, SAMPLES, folder)


def measured(study: Study, pieces: Pieces) -> Dict[str, Found]:
    """Piece -> what it found, with one seed."""
    found = {BASELINE: pieces.do(BASELINE, _baseline, study)}
    recipe = study.recipe(EPOCHS)
    checkpoint = training.checkpoint_of(recipe, study.path(BASELINE))
    for each in ROUNDS:
        name = lenet_page.key(each.widths)
        found[name] = pieces.do(name, narrowed, study, checkpoint, each)
        recipe = study.recipe(each.epochs)
        checkpoint = training.checkpoint_of(recipe, study.path(name, 'training'))
    return found


def _baseline(study: Study) -> Dict[str, float]:
    started, folder = time.process_time(), study.path(BASELINE)
    recipe = study.recipe(EPOCHS)
    held_out = training.train(network, study.material, recipe, folder)
    return {
        'held_out': held_out,
        'accuracy': _tested(study, network, training.checkpoint_of(recipe, folder)),
        'cpu_seconds': time.process_time() - started,
    }


def narrowed(study: Study, checkpoint: str, how: Round) -> Dict[str, Any]:
    """Prunes, repairs, strips and trains a network."""
    started, folder = time.process_time(), study.path(lenet_page.key(how.widths))
    model = tp.load(checkpoint, ['output'])
    plan = plan_to(model, how.widths)
    split = pipelines.part(study.material.split, 0, study.samples)
    data = pipelines.eval_input_fn(study.dataset, split)
    soft = tp.repair(model, plan, tp.samples(model, data, count=study.samples)).model
    stripped: Stripped = training.strip(soft, plan, folder)
    place, recipe = os.path.join(folder, 'training'), study.recipe(how.epochs)
    found: Dict[str, Any] = {
        'held_out': training.train(
            stripped.network, study.material, recipe, place, stripped.checkpoint
        )
    }
    if how.widths in SHOWN:
        last = training.checkpoint_of(recipe, place)
        found['accuracy'] = _tested(study, stripped.network, last)
    return {**found, 'cpu_seconds': time.process_time() - started}


def _tested(study: Study, built: training.Network, checkpoint: str) -> float:
    return training.accuracy(built, study.dataset, study.dataset.test, checkpoint)


def plan_to(model: Model, widths: Tuple[int, int, int]) -> Plan:
    """What goes to reach widths of the convolutions and of the hidden layer."""
    groups = [group for group in model.groups if not group.frozen]
    scorer, limits = ranking_by(BY).scorer(model), tp.Limits()
    plans = [
        groupwise.take(scorer(group, width), group.width - width, limits)
        if width < group.width
        else plan_lib.plan_group(group, [], 0)
        for group, width in zip(groups, widths)
    ]
    return width_measuring.plan_of(model, groups, plans, limits.multiple)


if __name__ == '__main__':
    flags.DEFINE_string('data_dir', None, 'Folder of MNIST.')
    flags.DEFINE_string('output_dir', 'bench_output/lenet', 'Folder of the trainings.')
    flags.DEFINE_string('document', 'docs/results.md', 'Where the section goes.')
    flags.DEFINE_integer('seeds', 3, 'How many: 1, 2 and so on.', lower_bound=2)
    flags.mark_flag_as_required('data_dir')
    program.run(main)
