"""Fine-tuning from repaired weights against from zeros, with labels and equal steps.

  python -m benchmarks.cifar_tuning --data_dir path/of/cifar10

Trains the network of `benchmarks.cifar`, prunes it at several levels, repairs a copy on
images without labels, strips both and fine-tunes them at several learning rates; all
that with several seeds. Images that are never trained on choose the rate. Writes a
section of docs/results.md. A run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, Tuple

from absl import flags

import tf1pruning as tp
from benchmarks import cifar, cifar_tuning_page, results_page, training
from benchmarks.cifar_schedules import LAYERS_ALIKE
from benchmarks.cifar_tuning_page import BASELINE, LEVELS, RATES, REPAIRED, ZEROS, key
from benchmarks.resumable import Found, Pieces
from benchmarks.training import BATCH, Material, Network, Recipe, Stripped
from demo.datasets import pipelines, registry
from tf1pruning.channels import select
from tf1pruning.cli import program
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.steps import budgets, soft_pruning

FLAGS = flags.FLAGS

BY = 'l1'
HELD_OUT, SAMPLES = 5000, 2000
_DECAY = 5e-4


@dataclasses.dataclass(frozen=True)
class Study:
    """All trainings with one seed, in a folder of their own.

    Attributes:
      network: builds what is trained.
      dataset: its test images give the accuracies.
      held_out: training images that only choose the rate.
      split: the other ones.
      seed: of weights and order.
      steps: of the first training.
      tune_steps: of each fine-tuning.
      samples: images that repair, the first of the split.
      folder: of the trainings.
    """

    network: Network
    dataset: Dataset
    held_out: Split
    split: Split
    seed: int
    steps: int
    tune_steps: int
    samples: int
    folder: str

    @property
    def material(self) -> Material:
        """To train on, and to choose by."""
        choosing = dataclasses.replace(self.dataset, test=self.held_out)
        return Material(choosing, self.split, self.seed)

    @property
    def fresh(self) -> Recipe:
        """For random weights."""
        return Recipe(self.steps, 'momentum', 0.1, weight_decay=_DECAY)

    def path(self, *names: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, *names)

    def accuracies(self, network: Network, checkpoint: str) -> Dict[str, float]:
        """What a checkpoint of a network gets right."""
        splits = {'held_out': self.held_out, 'accuracy': self.dataset.test}
        return {
            name: training.accuracy(network, self.dataset, split, checkpoint)
            for name, split in splits.items()
        }


def main() -> None:
    """Runs and writes."""
    dataset = cifar.halved(registry.load('cifar10', FLAGS.data_dir))
    epochs = {'epochs': FLAGS.epochs, 'tune_epochs': FLAGS.tune_epochs}
    found, seconds = [], 0.0
    for seed in range(FLAGS.seeds):
        study = _study(dataset, seed)
        pieces = Pieces(study.path('pieces.json'), {**epochs, 'seed': seed})
        found.append(measured(study, pieces))
        seconds += pieces.seconds
    facts = {
        **epochs,
        'minutes': seconds / 60,
        'samples': SAMPLES,
        'trained_on': dataset.train.count - HELD_OUT,
        'held_out': HELD_OUT,
        'by': BY,
    }
    section = cifar_tuning_page.section(facts, found)
    results_page.write_section(FLAGS.document, 'cifar10_tuning', section)


def _study(dataset: Dataset, seed: int) -> Study:
    count = dataset.train.count - HELD_OUT
    return Study(
        cifar.network,
        dataset,
        pipelines.part(dataset.train, count, dataset.train.count),
        pipelines.part(dataset.train, 0, count),
        seed,
        int(FLAGS.epochs * count) // BATCH,
        int(FLAGS.tune_epochs * count) // BATCH,
        SAMPLES,
        os.path.join(FLAGS.output_dir, f'seed_{seed}'),
    )


def measured(study: Study, pieces: Pieces) -> Dict[str, Found]:
    """Piece -> what it found, with one seed."""
    found = {BASELINE: pieces.do(BASELINE, _baseline, study)}
    checkpoint = training.checkpoint_of(study.fresh, study.path(BASELINE))
    model = tp.load(checkpoint, ['output'])
    for level in LEVELS:
        for start in (ZEROS, REPAIRED):
            name = key(start, level)
            found[name] = pieces.do(name, pruned, study, model, start, level)
            for rate in RATES:
                name = key(start, level, rate)
                found[name] = pieces.do(name, tuned, study, start, level, rate)
    return found


def _baseline(study: Study) -> Dict[str, float]:
    folder, recipe = study.path(BASELINE), study.fresh
    training.train(study.network, study.material, recipe, folder)
    return study.accuracies(study.network, training.checkpoint_of(recipe, folder))


def pruned(study: Study, model: Model, start: str, level: float) -> Dict[str, Any]:
    """Prunes the network at a level, repairs it if it shall start so, and strips it."""
    plan, macs_left = plan_at(model, level)
    soft = soft_pruning.with_zeros(model, plan)
    if start == REPAIRED:
        samples = tp.samples(model, _images(study), count=study.samples)
        soft = tp.repair(model, plan, samples).model
    stripped = training.strip(soft, plan, study.path(key(start, level)))
    found = study.accuracies(stripped.network, stripped.checkpoint)
    return {'macs_left': macs_left, **found}


def _images(study: Study) -> Any:
    first = pipelines.part(study.split, 0, study.samples)
    return pipelines.eval_input_fn(study.dataset, first)


def tuned(study: Study, start: str, level: float, rate: float) -> Dict[str, float]:
    """Fine-tunes what `pruned` has left, at a rate."""
    prefix = study.path(key(start, level), 'stripped.ckpt')
    stripped = Stripped(f'{prefix}.meta', prefix)
    recipe = Recipe(study.tune_steps, 'momentum', rate, weight_decay=_DECAY)
    folder = study.path(key(start, level, rate))
    training.train(stripped.network, study.material, recipe, folder, prefix)
    checkpoint = training.checkpoint_of(recipe, folder)
    return study.accuracies(stripped.network, checkpoint)


def plan_at(model: Model, level: float) -> Tuple[Plan, float]:
    """The smallest share of each group that takes a level of the MACs.

    Returns:
      What goes, and the share of the MACs that is left.

    Raises:
      PlanError: if no share takes so much.
    """
    how: Dict[str, Any] = {
        'criterion': BY,
        'combination': LAYERS_ALIKE,
        'groups': select.ALL,
    }
    for percent in range(1, 100):
        plan = tp.choose(model, ratio=percent / 100, **how)
        before, after = budgets.planned_costs(model, plan)
        left = (after.macs or 0) / (before.macs or 1)
        if left <= 1 - level:
            return plan, left
    raise PlanError(f'No share of each group takes {level:.0%} of the MACs.')


if __name__ == '__main__':
    flags.DEFINE_string('data_dir', None, 'Folder of CIFAR-10.')
    flags.DEFINE_string('output_dir', 'bench_output/tuning', 'Folder of the trainings.')
    flags.DEFINE_string('document', 'docs/results.md', 'Where the section goes.')
    flags.DEFINE_float('epochs', 10, 'Epochs of the training.')
    flags.DEFINE_float('tune_epochs', 1, 'Epochs of each fine-tuning.')
    flags.DEFINE_integer('seeds', 3, 'How many: 0, 1 and so on.', lower_bound=2)
    flags.mark_flag_as_required('data_dir')
    program.run(main)
