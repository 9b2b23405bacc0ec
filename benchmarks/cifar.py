"""Accuracy against MACs of a small ResNet on CIFAR-10, by criterion.

  python -m benchmarks.cifar --data_dir path/of/cifar10

Trains a network, removes the same share of each group by every criterion and in rounds,
fine-tunes what is left, and trains networks of the same widths from scratch; all that
with several seeds. Writes a section of docs/results.md and a plot. A run that was
stopped goes on.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags

from benchmarks import (
    cifar_page,
    cifar_plot,
    cifar_schedules,
    results_page,
    training,
)
from benchmarks.cifar_page import BASELINE, CRITERIA, LEVELS, ON_DATA
from benchmarks.cifar_schedules import LAYERS_ALIKE, Start
from benchmarks.resumable import Found, Pieces
from benchmarks.training import BATCH, Material, Recipe, Stripped
from demo.datasets import registry
from demo.networks import resnet_cifar
from demo.networks.layers import Layers
from tf1pruning import files
from tf1pruning.channels.groups import Group
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.cli import program
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import PlanError
from tf1pruning.scoring.result import Scores
from tf1pruning.steps import budgets
from tf1pruning.steps.data_scores import Trained
from tf1pruning.studies.probing import Probe

FLAGS = flags.FLAGS

# ResNet-8: with its 9 blocks a stage it would be ResNet-56.
CONFIG = resnet_cifar.Config(repeats=1)
# Statistics of batch norm that a single epoch is enough for.
DECAY = 0.98
SCORED, SCORES = 5000, 'scores.npz'


@dataclasses.dataclass(frozen=True)
class Run:
    """All trainings with one seed, in a folder of their own."""

    material: Material
    folder: str

    def path(self, *names: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, *names)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """The trained network, on the test images."""

    trained: Trained
    groups: Tuple[Group, ...]
    test: Probe


def main() -> None:
    """Runs and writes."""
    dataset = halved(registry.load('cifar10', FLAGS.data_dir))
    epochs = {'epochs': FLAGS.epochs, 'tune_epochs': FLAGS.tune_epochs}
    found, seconds = [], 0.0
    for seed in range(FLAGS.seeds):
        folder = os.path.join(FLAGS.output_dir, f'seed_{seed}')
        run = Run(Material(dataset, dataset.train, seed), folder)
        pieces = Pieces(run.path('pieces.json'), {**epochs, 'seed': seed})
        found.append(measured(run, pieces))
        seconds += pieces.seconds
    facts = {**epochs, 'minutes': seconds / 60, 'scored': SCORED}
    section = cifar_page.section(facts, found)
    results_page.write_section(FLAGS.document, 'cifar10', section)
    picture = os.path.join(os.path.dirname(FLAGS.document), cifar_page.PICTURE)
    files.write_bytes(picture, cifar_plot.plot(facts, found))


def measured(run: Run, pieces: Pieces) -> Dict[str, Found]:
    """Piece -> what it found, with one seed."""
    found = {BASELINE: pieces.do(BASELINE, _baseline, run)}
    subject = _subject(run)
    parts = (subject.trained, run.material, SCORED, ON_DATA, run.path(SCORES))
    pieces.do('score', training.save_scores, *parts)
    for level in LEVELS:
        for name, (work, *args) in _works(run, subject, level).items():
            found[name] = pieces.do(name, work, *args)
    return found


def _works(run: Run, subject: Subject, level: float) -> Dict[str, Tuple[Any, ...]]:
    """Piece of a level -> what finds it, and its arguments."""
    share, tuning = _share(subject, level), _tuning(run.material)
    start = Start(network, subject.trained.model.path, run.material, tuning)
    found: Dict[str, Tuple[Any, ...]] = {}
    for criterion in CRITERIA:
        name = cifar_page.key(criterion, level)
        found[name] = (_pruned, run, subject, criterion, share, run.path(name))
    for kind, way in cifar_schedules.WAYS.items():
        name = cifar_page.key(kind, level)
        found[name] = (cifar_schedules.in_rounds, start, way, share, run.path(name))
    pruned = run.path(cifar_page.key(CRITERIA[0], level))
    for kind, epochs in _scratch_epochs().items():
        name = cifar_page.key(kind, level)
        found[name] = (_from_scratch, run.material, epochs, pruned, run.path(name))
    return found


def halved(dataset: Dataset) -> Dataset:
    """Images of half the height and width; a pixel is the mean of four."""
    height, width, channels = dataset.image
    image = (height // 2, width // 2, channels)

    def halve(pixels: tf.Tensor, label: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        blocks = tf.reshape(pixels, [image[0], 2, image[1], 2, channels])
        means = tf.reduce_mean(tf.cast(blocks, tf.float32), [1, 3])
        return tf.cast(tf.round(means), tf.uint8), label

    def smaller(split: Split) -> Split:
        return Split(lambda: split.read().map(halve).cache(), split.count)

    train, test = smaller(dataset.train), smaller(dataset.test)
    return dataclasses.replace(dataset, train=train, test=test, image=image)


def network(images: tf.Tensor, is_training: bool) -> tf.Tensor:
    return resnet_cifar.build(images, CONFIG, Layers(is_training, DECAY))


def _steps(material: Material, epochs: float) -> int:
    return int(epochs * material.split.count) // BATCH


def _fresh(material: Material, epochs: float) -> Recipe:
    """For random weights."""
    return Recipe(_steps(material, epochs), 'momentum', 0.1, weight_decay=5e-4)


def _tuning(material: Material) -> Recipe:
    """For weights that were trained."""
    steps = _steps(material, FLAGS.tune_epochs)
    return Recipe(steps, 'momentum', 0.02, weight_decay=5e-4)


def _scratch_epochs() -> Dict[str, float]:
    """As long as a fine-tuning, and as long as everything before its end."""
    return {
        cifar_page.SCRATCH_SHORT: FLAGS.tune_epochs,
        cifar_page.SCRATCH_LONG: FLAGS.epochs + FLAGS.tune_epochs,
    }


def _baseline(run: Run) -> Dict[str, Any]:
    recipe, folder = _fresh(run.material, FLAGS.epochs), run.path(BASELINE)
    return {'accuracy': training.train(network, run.material, recipe, folder)}


def _subject(run: Run) -> Subject:
    recipe = _fresh(run.material, FLAGS.epochs)
    trained = training.load(recipe, run.path(BASELINE))
    dataset = run.material.dataset
    test = training.batches(dataset, dataset.test, trained)
    return Subject(trained, training.free_groups(trained), Probe(trained, test))


def _pruned(
    run: Run, subject: Subject, criterion: str, share: float, folder: str
) -> Dict[str, Any]:
    """Prunes by a criterion and fine-tunes."""
    model, material = subject.trained.model, run.material
    scores = Scores.load(run.path(SCORES))
    scorer = training.scorer(
        subject.trained, criterion, scores, LAYERS_ALIKE, material.seed
    )
    plan = subject.test.plan(subject.groups, share, scorer)
    before, after = budgets.planned_costs(model, plan)
    soft = subject.test.pruned_model(plan)
    recipe = _tuning(material)
    accuracy = training.tune(soft, plan, material, recipe, folder)
    return {
        'pruned': subject.test.pruned(plan).accuracy,
        'accuracy': accuracy,
        'macs': after.macs,
        'macs_left': (after.macs or 0) / (before.macs or 1),
        'parameters_left': after.parameters / before.parameters,
    }


def _share(subject: Subject, level: float) -> float:
    """The smallest share of each group that takes `level` of the MACs."""
    model = subject.trained.model
    # How many channels go does not depend on which ones go.
    scorer = training.scorer(subject.trained, 'l1')
    for percent in range(1, 100):
        plan = subject.test.plan(subject.groups, percent / 100, scorer)
        before, after = budgets.planned_costs(model, plan)
        if (after.macs or 0) <= (1 - level) * (before.macs or 0):
            return percent / 100
    raise PlanError(f'No share of each group takes {level:.0%} of the MACs.')


def _from_scratch(
    material: Material, epochs: float, pruned: str, folder: str
) -> Dict[str, Any]:
    """Trains a network of the widths of a pruned one, which are those of all."""
    stripped = Stripped(
        os.path.join(pruned, 'training.meta'), os.path.join(pruned, 'stripped.ckpt')
    )
    prefix = folder + '_start/model.ckpt'
    start = untrained(stripped.checkpoint, prefix, material.seed)
    recipe = _fresh(material, epochs)
    accuracy = training.train(stripped.network, material, recipe, folder, start)
    return {'accuracy': accuracy}


def untrained(checkpoint: str, prefix: str, seed: int) -> str:
    """Writes a checkpoint with the variables of another one, as before a training.

    Kernels are random (He et al., arXiv 1502.01852), scales and variances 1, else 0.

    Returns:
      `prefix`.
    """
    generator = np.random.RandomState(seed)
    arrays = {}
    for name, array in Checkpoint(checkpoint).items():
        if name.endswith('weights'):
            deviation = np.sqrt(2 / np.prod(array.shape[:-1]))
            value = generator.normal(0, deviation, array.shape)
        else:
            value = np.full(array.shape, float(name.endswith(('gamma', 'variance'))))
        arrays[name] = value.astype(array.dtype)
    return writer.write_checkpoint(prefix, ArraysInMemory(arrays))


if __name__ == '__main__':
    flags.DEFINE_string('data_dir', None, 'Folder of CIFAR-10.')
    flags.DEFINE_string('output_dir', 'bench_output/cifar', 'Folder of the trainings.')
    flags.DEFINE_string('document', 'docs/results.md', 'Where the section goes.')
    flags.DEFINE_float('epochs', 10, 'Epochs of the training.')
    flags.DEFINE_float('tune_epochs', 1, 'Epochs of each fine-tuning.')
    flags.DEFINE_integer('seeds', 2, 'How many: 0, 1 and so on.', lower_bound=2)
    flags.mark_flag_as_required('data_dir')
    program.run(main)
