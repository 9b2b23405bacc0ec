"""Accuracy against MACs of a small ResNet on CIFAR-10, by criterion.

  python -m benchmarks.cifar --data_dir path/of/cifar10

Trains a network, removes the same share of each group by every criterion, fine-tunes
what is left, and trains networks of the same widths from scratch. Writes a section of
docs/results.md and a plot. A run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags

from benchmarks import cifar_page, results_page, training
from benchmarks.cifar_page import CRITERIA, LEVELS, ON_DATA, ROUNDS
from benchmarks.pieces import Pieces
from benchmarks.training import BATCH, Material, Recipe, Stripped
from tf1pruning import files
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.scores import Combination
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import PlanError
from tf1pruning.plan import Plan
from tf1pruning.scoring import result as result_lib
from tf1pruning.workflow import any_scorer, budgets, command
from tf1pruning.workflow.data_scores import Trained
from tf1pruning.workflow.probing import Probe
from tf1pruning.zoo import resnet_cifar
from tf1pruning.zoo.datasets import registry
from tf1pruning.zoo.datasets.values import Dataset, Split
from tf1pruning.zoo.layers import Layers

FLAGS = flags.FLAGS

# ResNet-8: with its 9 blocks a stage it would be ResNet-56.
CONFIG = resnet_cifar.Config(repeats=1)
# Statistics of batch norm that a single epoch is enough for.
DECAY = 0.98
SCORED = 5000
BASELINE = 'baseline'


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """The trained network, on the test images."""

    model: Trained
    groups: Tuple[Group, ...]
    test: Probe


def main() -> None:
    """Runs and writes."""
    dataset = halved(registry.load('cifar10', FLAGS.data_dir))
    material = Material(dataset, dataset.train, FLAGS.seed)
    names = ('epochs', 'tune_epochs', 'seed')
    settings = {name: FLAGS[name].value for name in names}
    pieces = Pieces(_path('pieces.json'), settings)
    found: Dict[str, Any] = {'whole': pieces.do(BASELINE, _baseline, material)}
    subject = _subject(material)
    path = _path('scores.npz')
    pieces.do(
        'score', training.save_scores, subject.model, material, SCORED, ON_DATA, path
    )
    for level in LEVELS:
        for criterion in CRITERIA:
            name = cifar_page.key(criterion, level)
            found[name] = pieces.do(name, _pruned, material, subject, criterion, level)
        name = cifar_page.key(cifar_page.IN_ROUNDS, level)
        found[name] = pieces.do(name, _in_rounds, material, subject, level)
        for kind, epochs in _scratch_epochs().items():
            name = cifar_page.key(kind, level)
            found[name] = pieces.do(name, _from_scratch, material, epochs, level, kind)
    facts = {**settings, 'minutes': pieces.seconds / 60, 'scored': SCORED}
    section = cifar_page.section(facts, found)
    results_page.write_section(FLAGS.document, 'cifar10', section)
    picture = os.path.join(os.path.dirname(FLAGS.document), cifar_page.PICTURE)
    files.write_bytes(picture, cifar_page.plot(found))


def _path(*names: str) -> str:
    return os.path.join(FLAGS.output_dir, *names)


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


def _network(images: tf.Tensor, is_training: bool) -> tf.Tensor:
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


def _baseline(material: Material) -> Dict[str, Any]:
    recipe, folder = _fresh(material, FLAGS.epochs), _path(BASELINE)
    return {'accuracy': training.train(_network, material, recipe, folder)}


def _subject(material: Material) -> Subject:
    recipe = _fresh(material, FLAGS.epochs)
    return _subject_of(training.load(recipe, _path(BASELINE)), material)


def _subject_of(model: Trained, material: Material) -> Subject:
    test = training.batches(material.dataset, material.dataset.test, model)
    return Subject(model, training.free_groups(model), Probe(model, test))


def _pruned(
    material: Material, subject: Subject, criterion: str, level: float
) -> Dict[str, Any]:
    """Prunes by a criterion and fine-tunes."""
    plan = _plan(subject, criterion, level)
    before, after = budgets.planned_costs(subject.model.source, plan)
    soft = subject.test.pruned_source(plan)
    accuracy = training.tune(
        subject.model,
        soft,
        plan,
        material,
        _tuning(material),
        _path(cifar_page.key(criterion, level)),
    )
    return {
        'pruned': subject.test.pruned(plan).accuracy,
        'accuracy': accuracy,
        'macs': after.macs,
        'macs_left': (after.macs or 0) / (before.macs or 1),
        'parameters_left': after.parameters / before.parameters,
    }


def _in_rounds(material: Material, subject: Subject, level: float) -> Dict[str, Any]:
    """Prunes a bit and fine-tunes, again and again, for as many steps in all."""
    tuning = _tuning(material)
    recipe = dataclasses.replace(tuning, steps=tuning.steps // ROUNDS)
    macs_left = 1.0
    for number in range(1, ROUNDS + 1):
        goal = (1 - level) ** (number / ROUNDS)
        plan = _plan(subject, cifar_page.IN_ROUNDS_BY, 1 - goal / macs_left)
        before, after = budgets.planned_costs(subject.model.source, plan)
        macs_left *= (after.macs or 0) / (before.macs or 1)
        soft = subject.test.pruned_source(plan)
        folder = _path(cifar_page.key(cifar_page.IN_ROUNDS, level), str(number))
        accuracy = training.tune(subject.model, soft, plan, material, recipe, folder)
        model = training.load(recipe, os.path.join(folder, 'training'))
        subject = _subject_of(model, material)
    return {'accuracy': accuracy, 'macs_left': macs_left}


def _plan(subject: Subject, criterion: str, level: float) -> Plan:
    """The smallest share of each group that takes `level` of the MACs."""
    scores = result_lib.load(_path('scores.npz'))
    source = subject.model.source
    layers_alike = Combination('mean', 'l2')
    scorer = any_scorer.scorer(source, criterion, scores, layers_alike, FLAGS.seed)
    for percent in range(1, 100):
        plan = subject.test.plan(subject.groups, percent / 100, scorer)
        before, after = budgets.planned_costs(source, plan)
        if (after.macs or 0) <= (1 - level) * (before.macs or 0):
            return plan
    raise PlanError(f'No share of each group takes {level:.0%} of the MACs.')


def _from_scratch(
    material: Material, epochs: float, level: float, kind: str
) -> Dict[str, Any]:
    """Trains a network of the pruned widths, which are those of every criterion."""
    pruned = _path(cifar_page.key(CRITERIA[0], level))
    stripped = Stripped(
        os.path.join(pruned, 'training.meta'), os.path.join(pruned, 'stripped.ckpt')
    )
    folder = _path(cifar_page.key(kind, level))
    start = untrained(stripped.checkpoint, folder + '_start/model.ckpt', FLAGS.seed)
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
    flags.DEFINE_integer('seed', 0, 'Of weights and order of the images.')
    flags.mark_flag_as_required('data_dir')
    command.run(main)
