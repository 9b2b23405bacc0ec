"""What a network is at each stage of its compression, measured and as a table."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import plan as plan_lib
from tf1pruning.choosing.choice import Target
from tf1pruning.errors import GraphError, VerificationError
from tf1pruning.models.model import Model
from tf1pruning.recovery import comparing, similarity
from tf1pruning.recovery.comparing import Compared
from tf1pruning.report import text
from tf1pruning.report.cost import Cost
from tf1pruning.report.similarity import Similarity
from tf1pruning.sampling.parts import Samples
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import budgets, repairing, soft_pruning
from tf1pruning.steps.repairing import Repaired
from tf1pruning.steps.stripping import StrippedModel

ORIGINAL, PRUNED, REPAIRED, DISTILLED = 'original', 'pruned', 'repaired', 'distilled'
# Samples on which layers are compared.
_COMPARED = 64
_HEADER = (
    'network',
    'MACs',
    'parameters',
    'bytes',
    'latency',
    'change',
    'agreement',
    'accuracy',
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """What a network is at a stage of the way.

    Attributes:
      macs: multiply-accumulates of one example; None: not known.
      parameters: elements of its weights.
      bytes: of its frozen graph.
      latency_ms: median time of a run on two random examples; None: not known.
      change: of its outputs, on samples that took no part, see `Change`.
      agreement: share of these in which the largest element is that of the original;
        None: no output has several.
      accuracy: share of these with the right class; None without labels.
    """

    macs: Optional[int]
    parameters: int
    bytes: int
    latency_ms: Optional[float]
    change: float
    agreement: Optional[float]
    accuracy: Optional[float]

    def fields(self) -> Dict[str, Any]:
        """The stage as plain data; outputs that never vary have no change."""
        change = self.change if np.isfinite(self.change) else None
        return {**dataclasses.asdict(self), 'change': change}


@dataclasses.dataclass(frozen=True)
class Reached:
    """What became of a target.

    Attributes:
      quantity: 'macs', 'parameters' or 'latency'.
      asked: share that was to stay.
      reached: share that stays; None: not known.
    """

    quantity: str
    asked: float
    reached: Optional[float]

    @classmethod
    def of(cls, target: Target, stages: Mapping[str, Stage]) -> Reached:
        """Compares the last stage with the first."""
        name = 'latency_ms' if target.quantity == 'latency' else target.quantity
        first, *_, last = (getattr(stage, name) for stage in stages.values())
        reached = None if not first or last is None else last / first
        return cls(target.quantity, target.share, reached)

    def __str__(self) -> str:
        what = {'macs': 'MACs'}.get(self.quantity, self.quantity)
        asked = f'Of the {what} {self.asked:.1%} were to stay'
        if self.reached is None:
            return f'{asked}; what stays is not known.'
        missed = '' if self.reached <= self.asked else ' Ask for less.'
        return f'{asked}, and {self.reached:.1%} stay.{missed}'


def table(stages: Mapping[str, Stage]) -> str:
    """Stages as text, a row each."""
    return text.table(_HEADER, [_row(name, stage) for name, stage in stages.items()])


def _row(name: str, stage: Stage) -> List[str]:
    def share(value: Optional[float]) -> str:
        return '-' if value is None else f'{100 * value:.2f} %'

    latency = stage.latency_ms
    return [
        name,
        text.number(stage.macs),
        f'{stage.parameters:,}',
        f'{stage.bytes:,}',
        '-' if latency is None else f'{latency:.2f} ms',
        f'{stage.change:.4f}',
        share(stage.agreement),
        share(stage.accuracy),
    ]


def measure(
    repaired: Repaired,
    stripped: StrippedModel,
    distilled: Optional[StrippedModel],
    report: Samples,
    limits: RunLimits,
) -> Tuple[Repaired, Dict[str, Stage]]:
    """Measures the networks of all stages on the same samples.

    Args:
      repaired: the soft-pruned and repaired model.
      stripped: the same, stripped.
      distilled: the same, distilled; None: it was not.
      report: samples that took no part.
      limits: of the runs.

    Returns:
      The repaired model with its changes on these samples, and name -> stage.

    Raises:
      DataError: if the samples do not fit, or the labels do not fit the outputs.
      GraphError: if a network is not safe to run, or runs too long.
    """
    model = repaired.original
    original = model.frozen()
    zeroed = soft_pruning.with_zeros(model, repaired.plan).frozen()
    small = {REPAIRED: stripped.frozen}
    if distilled is not None:
        small[DISTILLED] = distilled.frozen
    answered = comparing.changes(
        model.graph,
        original,
        [zeroed, *small.values()],
        report.batches,
        limits,
        report.labels,
    )
    # Without repair the stripped network is as large and as fast as with it.
    graphs = {ORIGINAL: original, PRUNED: small[REPAIRED], **small}
    outputs = model.graph.outputs
    before = _latency(original, outputs, limits)
    after = _latency(small[REPAIRED], outputs, limits)
    stages = {
        name: _stage(stripped.before, graph, before, outcome)
        if name == ORIGINAL
        else _stage(stripped.after, graph, after, outcome)
        for (name, graph), outcome in zip(graphs.items(), answered)
    }
    changes = [outcome.change for outcome in answered]
    return dataclasses.replace(repaired, before=changes[1], after=changes[2]), stages


def _stage(
    cost: Cost, frozen: tf.GraphDef, latency: Optional[float], answered: Compared
) -> Stage:
    return Stage(
        macs=cost.macs,
        parameters=cost.parameters,
        bytes=frozen.ByteSize(),
        latency_ms=latency,
        change=answered.change.worst,
        agreement=answered.change.agreement,
        accuracy=answered.accuracy,
    )


def _latency(
    frozen: tf.GraphDef, outputs: Sequence[str], limits: RunLimits
) -> Optional[float]:
    """Milliseconds of a run; None if no input can be made up."""
    try:
        return 1000 * budgets.seconds(frozen, outputs, limits)
    except (GraphError, VerificationError):
        return None


def similarities(
    repaired: Repaired,
    stripped: StrippedModel,
    distilled: Optional[StrippedModel],
    report: Samples,
    limits: RunLimits,
) -> Tuple[Similarity, ...]:
    """How near each layer is to the unpruned network, at each stage.

    Args, and errors: like `measure`.
    """
    model, plan = repaired.original, repaired.plan
    others = [soft_pruning.with_zeros(model, plan), stripped.original]
    others += [] if distilled is None else [distilled.original]
    unpruned = repairing.repeatable(model)
    gone = plan_lib.removed_channels(plan, model.groups, model.trace.count)
    batches = report.some(_COMPARED).batches
    found = [
        similarity.similarities(
            model.trace,
            unpruned,
            _differing(model, other),
            gone,
            batches,
            limits,
        )
        for other in others
    ]
    return tuple(
        Similarity(layer, *(each.get(layer, similarity.MOST) for each in found))
        for layer in found[0]
    )


def _differing(model: Model, other: Model) -> Dict[str, np.ndarray]:
    """Weight node -> array of another model of the same graph, where it differs."""
    old, new = (repairing.weights_of(each, ()) for each in (model, other))
    return {n: new[n] for n in old if not np.array_equal(old[n], new[n])}
