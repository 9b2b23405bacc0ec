"""Weight and unit pruning of an MLP on MNIST, beside a published table.

  python -m benchmarks.mnist --data_dir path/of/mnist

Trains twice, sweeps both networks over the shares of the table, chooses criteria on
images that were held back, fine-tunes for an epoch, and writes a section of
docs/results.md. A run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, Tuple

import tensorflow.compat.v1 as tf
from absl import flags

from benchmarks import mnist_page, results_page, training
from benchmarks.mnist_page import SHARES
from benchmarks.resumable import Pieces
from benchmarks.training import BATCH, Material, Recipe
from demo.datasets import pipelines, registry
from demo.networks import mlp
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.scores import Scorer
from tf1pruning.cli import program
from tf1pruning.scoring.result import Scores
from tf1pruning.steps.data_scores import Trained
from tf1pruning.studies import sweeping
from tf1pruning.studies.probing import Probe

FLAGS = flags.FLAGS

# 784-1000-1000-500-200-10, as in what is published, without biases. They stay at
# zero in training, and take up the means of pruned units later.
CONFIG = mlp.Config(hidden=mlp.DEEP, biases=True)
OPTIMIZER, RATE = 'adam', 1e-3
PENALTIES: Dict[str, Dict[str, float]] = {
    'plain': {},
    'sparse': {'l1': 1e-5, 'lasso': 3e-4},
}
ON_DATA = ('taylor_abs_rs', 'taylor_abs_mrs', 'fisher', 'loss_based', 'apoz')
CRITERIA = ('random', 'l1', 'l2', 'sparsity', *ON_DATA)
# Of the training images, held back to choose criteria by.
HELD_BACK = 5000
SCORED = 5000


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A trained network, on held-back images and on test images."""

    trained: Trained
    groups: Tuple[Group, ...]
    held_back: Probe
    test: Probe
    seed: int

    def scorer(self, criterion: str, scores: Scores) -> Scorer:
        """By the name of a criterion."""
        return training.scorer(self.trained, criterion, scores, seed=self.seed)


@dataclasses.dataclass(frozen=True)
class Choice:
    """A criterion, whether means are left behind, and the accuracies it gives."""

    criterion: str
    means: bool
    held_back: float
    test: float


def main() -> None:
    """Runs and writes."""
    dataset = registry.load('mnist', FLAGS.data_dir)
    split = pipelines.part(dataset.train, 0, dataset.train.count - HELD_BACK)
    material = Material(dataset, split, FLAGS.seed)
    settings = {'epochs': FLAGS.epochs, 'seed': FLAGS.seed, **PENALTIES['sparse']}
    pieces = Pieces(_path('pieces.json'), settings)
    sweeps = {}
    for name in PENALTIES:
        pieces.do(f'train {name}', _train, material, name)
        subject = _subject(material, name)
        sweeps[name] = pieces.do(f'sweep {name}', _sweep, subject)
    path = _path('scores.npz')
    pieces.do(
        'score', training.save_scores, subject.trained, material, SCORED, ON_DATA, path
    )
    scores = Scores.load(path)
    units = [
        pieces.do(f'units {share:g}', _units, material, subject, scores, share)
        for share in SHARES[1:]
    ]
    facts = {**settings, 'scored': SCORED, 'criteria': len(CRITERIA)}
    facts.update(images=split.count, minutes=pieces.seconds / 60)
    section = mnist_page.section(facts, sweeps, units)
    results_page.write_section(FLAGS.document, 'mnist', section)


def _path(*names: str) -> str:
    return os.path.join(FLAGS.output_dir, *names)


def _network(images: tf.Tensor, is_training: bool) -> tf.Tensor:
    del is_training  # It has neither batch norm nor dropout.
    return mlp.build(images, CONFIG)


def _recipe(material: Material, name: str) -> Recipe:
    steps = FLAGS.epochs * (material.split.count // BATCH)
    return Recipe(steps, OPTIMIZER, RATE, biases=False, **PENALTIES[name])


def _train(material: Material, name: str) -> Dict[str, float]:
    recipe = _recipe(material, name)
    return {'accuracy': training.train(_network, material, recipe, _path(name))}


def _subject(material: Material, name: str) -> Subject:
    trained = training.load(_recipe(material, name), _path(name))
    dataset = material.dataset
    held_back = pipelines.part(dataset.train, material.split.count, dataset.train.count)
    return Subject(
        trained,
        training.free_groups(trained),
        Probe(trained, training.batches(dataset, held_back, trained)),
        Probe(trained, training.batches(dataset, dataset.test, trained)),
        material.seed,
    )


def _sweep(subject: Subject) -> Dict[str, Any]:
    """Accuracies of weight pruning, and of unit pruning by L2 norms."""
    scorer = training.scorer(subject.trained, 'l2')
    points = sweeping.sweep(subject.test, subject.groups, SHARES, scorer)
    return {
        'weights': [point.weight.accuracy for point in points],
        'units': [point.unit.accuracy for point in points],
    }


def _units(
    material: Material, subject: Subject, scores: Scores, share: float
) -> Dict[str, Any]:
    """Unit pruning by what is best on held-back images, and fine-tuning after it."""
    zeros, means = (_best(subject, scores, share, kind) for kind in (False, True))
    chosen = max(zeros, means, key=lambda choice: choice.held_back)
    plan = subject.test.plan(
        subject.groups, share, subject.scorer(chosen.criterion, scores)
    )
    left = scores.means if chosen.means else None
    soft = subject.test.pruned_model(plan, left)
    recipe = Recipe(material.split.count // BATCH, OPTIMIZER, RATE)
    folder = _path(f'tuned_{share:g}')
    tuned = training.tune(soft, plan, material, recipe, folder)
    return {
        'zeros': zeros.test,
        'means': means.test,
        'chosen': chosen.test,
        'which': f'{chosen.criterion}, {"means" if chosen.means else "zeros"}',
        'tuned': tuned,
    }


def _best(subject: Subject, scores: Scores, share: float, means: bool) -> Choice:
    left = scores.means if means else None
    found = []
    for criterion in CRITERIA:
        scorer = subject.scorer(criterion, scores)
        plan = subject.test.plan(subject.groups, share, scorer)
        held_back, test = (
            probe.pruned(plan, left).accuracy or 0.0
            for probe in (subject.held_back, subject.test)
        )
        found.append(Choice(criterion, means, held_back, test))
    return max(found, key=lambda choice: choice.held_back)


if __name__ == '__main__':
    flags.DEFINE_string('data_dir', None, 'Folder of the four idx files.')
    flags.DEFINE_string('output_dir', 'bench_output/mnist', 'Folder of the trainings.')
    flags.DEFINE_string('document', 'docs/results.md', 'Where the section goes.')
    flags.DEFINE_integer('epochs', 12, 'Epochs of each training.')
    flags.DEFINE_integer('seed', 0, 'Of weights and order of the images.')
    flags.mark_flag_as_required('data_dir')
    program.run(main)
