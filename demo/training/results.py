"""Measures the networks of the demo, for a table and for JSON."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from demo.datasets import pipelines
from demo.training import frozen
from tf1pruning import typed
from tf1pruning.data.dataset import Dataset
from tf1pruning.report import cost, text

FROM_SCRATCH = 'from_scratch'
# Kind of network -> its column in the table. All runs have all but the last one.
KINDS = {
    'original': 'original',
    'soft_pruned': 'soft-pruned',
    'stripped': 'stripped',
    'fine_tuned': 'fine-tuned',
    FROM_SCRATCH: 'scratch',
}


@dataclasses.dataclass(frozen=True)
class StepFigures:
    """One threshold step of the ladder.

    Attributes:
      threshold: sparsity above which a filter goes.
      failure_rate: after the last retraining.
      retrains: number of retrainings.
      accuracy_pruned: test accuracy after the first pruning, before retraining.
      accuracy: test accuracy after the last retraining.
      folder: where its files are, relative to the output folder.
    """

    threshold: float
    failure_rate: float
    retrains: int
    accuracy_pruned: float
    accuracy: float
    folder: str


@dataclasses.dataclass(frozen=True)
class UntrainedFigures:
    """The original network after the last pruning alone, without any retraining.

    Attributes:
      images: training images, without labels, that it is repaired on.
      pruned: test accuracy of the soft-pruned network.
      repaired: test accuracy once it is repaired.
    """

    images: int
    pruned: float
    repaired: float


@dataclasses.dataclass(frozen=True)
class ModelFigures:
    """One of the networks, measured on its frozen graph."""

    parameters: int
    macs: int
    prunable_macs: int
    pb_bytes: int
    latency_ms: float
    accuracy: float


def measure(
    pb_paths: Mapping[str, str],
    costs: Mapping[str, cost.Cost],
    dataset: Dataset,
    latency_runs: int,
) -> Dict[str, ModelFigures]:
    """Runs frozen graphs on the test images and times them in turn.

    Args:
      pb_paths: kind -> frozen graph.
      costs: kind -> cost.
      dataset: its test images give the accuracy; the latency is that of the first one.
      latency_runs: timed runs of each graph.

    Raises:
      DataError: if an image cannot be read.
    """
    models = {kind: frozen.load(path) for kind, path in pb_paths.items()}
    images, _ = next(pipelines.batches(dataset))
    latencies = frozen.median_latencies(models, images[:1], latency_runs)
    accuracies = frozen.accuracies(models, pipelines.batches(dataset))
    return {
        kind: ModelFigures(
            **dataclasses.asdict(costs[kind]),
            pb_bytes=os.path.getsize(path),
            latency_ms=latencies[kind],
            accuracy=accuracies[kind],
        )
        for kind, path in pb_paths.items()
    }


@dataclasses.dataclass(frozen=True)
class Results:
    """All figures of a run.

    Attributes:
      models: figures of each of `KINDS`; `FROM_SCRATCH` may be absent.
      steps: the ladder, in order.
      max_difference_relative: largest difference between the outputs of the soft-pruned
        and the stripped network, over the outputs' scale.
      untrained: what repair does instead of retraining; None: not measured.
    """

    models: Mapping[str, ModelFigures]
    steps: Tuple[StepFigures, ...]
    max_difference_relative: float
    untrained: Optional[UntrainedFigures] = None

    def as_json(self) -> Dict[str, Any]:
        """The content of results.json."""
        data: Dict[str, Any] = {
            kind: dataclasses.asdict(self.models[kind]) for kind in _kinds(self.models)
        }
        data['steps'] = [dataclasses.asdict(step) for step in self.steps]
        data['max_difference_relative'] = self.max_difference_relative
        if self.untrained is not None:
            data['untrained'] = dataclasses.asdict(self.untrained)
        return data

    def table(self) -> str:
        """Both tables and what is to be said of them, as text."""
        said = [
            'Largest difference between soft-pruned and stripped outputs: '
            f'{self.max_difference_relative:.1e} of their scale'
        ]
        if self.untrained is not None:
            said.append(
                f'Repaired on {self.untrained.images} training images without labels; '
                f'before that the accuracy was {_percent(self.untrained.pruned)}'
            )
        tables = _steps_table(self.steps), _models_table(self.models, self.untrained)
        return '\n\n'.join([*tables, '\n'.join(said)])


def from_json(data: Any) -> Results:
    """Reads the content of a results.json.

    Raises:
      ValueError: names a field that is missing, unknown, or of another type.
    """
    if not isinstance(data, dict):
        raise ValueError('it has no fields')
    others = {key: value for key, value in data.items() if key not in KINDS}
    missing = [kind for kind in _kinds(data) if kind not in data]
    if missing:
        raise ValueError(f'the network {missing[0]!r} is missing')
    models = {k: typed.from_json(ModelFigures, data[k]) for k in _kinds(data)}
    untrained = others.pop('untrained', None)
    found = typed.from_json(Results, {**others, 'models': models})
    if untrained is None:
        return found
    figures = typed.from_json(UntrainedFigures, untrained)
    return dataclasses.replace(found, untrained=figures)


def _kinds(found: Mapping[str, Any]) -> List[str]:
    """The kinds of a run, in the order of their columns."""
    return [kind for kind in KINDS if kind != FROM_SCRATCH or kind in found]


def _steps_table(steps: Sequence[StepFigures]) -> str:
    header = ['threshold', 'failure rate', 'retrains', 'pruned acc.', 'accuracy']
    rows = [
        [
            f'{step.threshold:g}',
            f'{step.failure_rate:.3f}',
            str(step.retrains),
            _percent(step.accuracy_pruned),
            _percent(step.accuracy),
        ]
        for step in steps
    ]
    return text.table(header, rows)


def _models_table(
    models: Mapping[str, ModelFigures], untrained: Optional[UntrainedFigures]
) -> str:
    """One column per network, and what stripping changes against the original."""
    kinds = _kinds(models)
    rows = []
    for label, field, form in (
        ('parameters', 'parameters', ',d'),
        ('MACs', 'macs', ',d'),
        ('MACs in blocks', 'prunable_macs', ',d'),
        ('pb bytes', 'pb_bytes', ',d'),
        ('latency, ms', 'latency_ms', '.3f'),
    ):
        found = {kind: getattr(models[kind], field) for kind in kinds}
        before, after = found['original'], found['stripped']
        change = f'{100 * (after / before - 1):+.1f} %' if before else '-'
        rows.append([label, *(format(n, form) for n in found.values()), change])
    accuracies = {kind: models[kind].accuracy for kind in kinds}
    original, stripped = accuracies['original'], accuracies['stripped']
    shown = [_percent(share) for share in accuracies.values()]
    rows.append(['test accuracy', *shown, _points(original, stripped)])
    if untrained is not None:
        alone = {'soft_pruned': _percent(untrained.repaired)}
        shown = [alone.get(kind, '') for kind in kinds]
        change = _points(original, untrained.repaired)
        rows.append(['repaired, without training', *shown, change])
    columns = [KINDS[kind] for kind in kinds]
    return text.table(['', *columns, 'stripping'], rows)


def _percent(share: float) -> str:
    return f'{100 * share:.2f} %'


def _points(before: float, after: float) -> str:
    return f'{100 * after - 100 * before:+.2f} points'
