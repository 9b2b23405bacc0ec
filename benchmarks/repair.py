"""Accuracy of pruned networks that are repaired on images without labels.

  python -m benchmarks.repair --network digits
  python -m benchmarks.repair --network mnist --data_dir path/of/mnist
  python -m benchmarks.repair --network cifar10 --data_dir path/of/cifar10

Trains a network, prunes and repairs it at several levels and by several criteria, and
distils it; all that with several seeds. Writes a section of docs/results.md. A run that
was stopped goes on.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Sequence

import numpy as np
from absl import flags, logging

import tf1pruning as tp
from benchmarks import repair_page, results_page, training
from benchmarks.repair_cases import CASES, Case, Way
from benchmarks.repair_page import BASELINE
from benchmarks.resumable import Found, Pieces
from benchmarks.training import Material
from demo.datasets import pipelines
from tf1pruning.cli import program
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.recovery import comparing
from tf1pruning.steps import budgets, compress_plans, soft_pruning

FLAGS = flags.FLAGS

# Every width is allowed, so that each criterion leaves the same ones.
LIMITS = tp.Limits()
_TEST_BATCH = 500


def main() -> None:
    """Runs and writes."""
    # A share at which nothing goes is no news while one is looked for.
    logging.set_verbosity(logging.ERROR)
    case = CASES[FLAGS.network]
    found, seconds = [], 0.0
    first = case.first_seed
    for seed in range(first, first + FLAGS.seeds):
        run = Run(case, seed, os.path.join(FLAGS.output_dir, case.name, f'seed_{seed}'))
        found.append(run.measured())
        seconds += run.pieces.seconds
    section = repair_page.section(case, found, seconds / 60)
    name = f'repair_{case.name}'
    results_page.write_section(FLAGS.document, name, section)


class Run:
    """All that is done with one seed, in a folder of its own.

    Attributes:
      pieces: what was found so far.
    """

    def __init__(self, case: Case, seed: int, folder: str):
        self._case, self._seed, self._folder = case, seed, folder
        dataset = case.load(FLAGS.data_dir, seed)
        self._material = Material(dataset, dataset.train, seed)
        settings = {'seed': seed, 'steps': case.recipe.steps, 'samples': case.samples}
        self.pieces = Pieces(self._path('pieces.json'), settings)

    def measured(self) -> Dict[str, Found]:
        """Piece -> what it found."""
        case = self._case
        found = {BASELINE: self.pieces.do(BASELINE, self._baseline)}
        prefix = training.checkpoint_of(case.recipe, self._path(BASELINE))
        model = tp.load(prefix, ['output'])
        for level in case.levels:
            for way in case.ways:
                name = repair_page.key(way, level)
                found[name] = self.pieces.do(name, self._row, model, way, level)
        return found

    def _path(self, *names: str) -> str:
        return os.path.join(self._folder, *names)

    def _baseline(self) -> Dict[str, Any]:
        case, folder = self._case, self._path(BASELINE)
        accuracy = training.train(case.network, self._material, case.recipe, folder)
        return {'accuracy': accuracy}

    def _row(self, model: Model, way: Way, level: float) -> Dict[str, Any]:
        """Prunes, repairs and distils; then looks at the test images, once."""
        case, dataset = self._case, self._material.dataset
        samples = samples_of(model, dataset, case.samples)
        plan = self._plan(model, samples, way, level)
        repaired = tp.repair(model, plan, samples)
        small = tp.strip(repaired.model, plan)
        networks = {
            'zeros': soft_pruning.with_zeros(model, plan).frozen(),
            'repaired': small.frozen,
        }
        if way.distilled:
            lessons = samples_of(model, dataset, case.lessons, case.batch)
            tuned = tp.distill(small, model, lessons, case.distillation)
            networks['distilled'] = tuned.stripped.frozen
        images, labels = pipelines.arrays(dataset, dataset.test)
        batches = tp.Batches.of_arrays(_inputs(model, images), _TEST_BATCH)
        graphs = list(networks.values())
        outcomes = comparing.changes(
            model.graph, model.frozen(), graphs, batches, labels=labels
        )
        before, after = budgets.planned_costs(model, plan)
        return {
            'macs_left': (after.macs or 0) / (before.macs or 1),
            **{name: each.accuracy for name, each in zip(networks, outcomes[1:])},
            **_changes(networks, outcomes[1:]),
        }

    def _plan(self, model: Model, samples: tp.Samples, way: Way, level: float) -> Plan:
        """What goes at a level: of each group, or of the MACs."""
        parts = samples.split()
        how: Dict[str, Any] = {'criterion': way.criterion, 'limits': LIMITS}
        if not way.has_table:
            share = level if self._case.of_units else share_for(model, level)
            options = tp.CompressOptions(ratio=share, **how)
            return compress_plans.plan_model(model, parts, options).plan
        options = tp.CompressOptions(target=tp.Target('macs', 1 - level), **how)
        table = self._path(f'widths_{way.criterion}.json')
        return compress_plans.plan_model(model, parts, options, table).plan


def samples_of(
    model: Model, dataset: Dataset, count: int, batch: Optional[int] = None
) -> tp.Samples:
    """The first images for training, without labels."""
    split: Split = pipelines.part(dataset.train, 0, count)
    images, _ = pipelines.arrays(dataset, split)
    return tp.samples(model, _inputs(model, images), batch_size=batch)


def share_for(model: Model, level: float) -> float:
    """The smallest share of each group that takes a share of the MACs.

    Raises:
      PlanError: if there is none.
    """
    for percent in range(1, 100):
        # How many channels go does not depend on which ones go.
        plan = tp.choose(model, ratio=percent / 100, groups='all')
        before, after = budgets.planned_costs(model, plan)
        if (after.macs or 0) <= (1 - level) * (before.macs or 0):
            return percent / 100
    raise PlanError(f'No share of each group takes {level:.0%} of the MACs.')


def _inputs(model: Model, images: np.ndarray) -> Dict[str, np.ndarray]:
    (name,) = model.graph.required_inputs
    return {name: images}


def _changes(
    networks: Dict[str, Any], outcomes: Sequence[comparing.Compared]
) -> Dict[str, float]:
    pairs = zip(networks, outcomes)
    return {f'{name}_change': each.change.worst for name, each in pairs}


if __name__ == '__main__':
    flags.DEFINE_enum('network', None, sorted(CASES), 'What is trained and pruned.')
    flags.DEFINE_string('data_dir', None, 'Folder of the data; the digits need none.')
    flags.DEFINE_string('output_dir', 'bench_output/repair', 'Folder of the trainings.')
    flags.DEFINE_string('document', 'docs/results.md', 'Where the section goes.')
    flags.DEFINE_integer(
        'seeds', 3, 'How many, from the first of the network.', lower_bound=1
    )
    flags.mark_flag_as_required('network')
    program.run(main)
