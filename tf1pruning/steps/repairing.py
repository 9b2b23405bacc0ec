"""Repairs a soft-pruned model on samples without labels."""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterable, List, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import plan as plan_lib
from tf1pruning import sessions
from tf1pruning.clock import Listener
from tf1pruning.graph import draws
from tf1pruning.graph.frozen import precision
from tf1pruning.models.model import Model
from tf1pruning.models.new_weights import with_new_weights
from tf1pruning.plan import Plan
from tf1pruning.recovery import carriers as carriers_lib
from tf1pruning.recovery import comparing, layerwise
from tf1pruning.recovery.change import Change, compared
from tf1pruning.recovery.layerwise import NONE, LayerRepair
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.recovery.unpruned import Seen, Unpruned
from tf1pruning.report import text
from tf1pruning.sampling.parts import HOLDOUT, Samples
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import soft_pruning
from tf1pruning.surgery import computed as computed_lib
from tf1pruning.surgery import mean_replacement

_DECIBELS = (
    'dB: signal to noise of what a layer makes; at 20 dB it is off by a tenth. More is '
    'better.'
)
_HEADER = ('layer', 'repaired by', 'dB before', 'dB after', 'note')


@dataclasses.dataclass(frozen=True, eq=False)
class Repaired:
    """A model that was soft-pruned and repaired.

    Attributes:
      original: the unpruned model.
      plan: which channels went.
      model: soft-pruned and repaired: to be written, retrained or stripped.
      layers: what became of each layer behind a cut.
      disk: the most bytes that temporary files took.
      before: how far the pruned network is from the unpruned one without repair, on
        samples that took no part in it; None: not measured.
      after: the same of the repaired one.
    """

    original: Model = dataclasses.field(repr=False)
    plan: Plan = dataclasses.field(repr=False)
    model: Model = dataclasses.field(repr=False)
    layers: Tuple[LayerRepair, ...]
    disk: int
    before: Optional[Change] = None
    after: Optional[Change] = None

    @property
    def helps(self) -> bool:
        """Whether the answers came nearer; False if that was not measured."""
        if self.before is None or self.after is None:
            return False
        return self.after.worst < self.before.worst

    @property
    def summary(self) -> str:
        """How many layers were repaired, and what the answers gained."""
        left = [layer.layer for layer in self.layers if layer.method == NONE]
        lines = [
            f'Repaired {len(self.layers) - len(left)} of {len(self.layers)} layers '
            f'behind cuts; temporary files took {self.disk / 1e6:.0f} MB.'
        ]
        if self.before is not None and self.after is not None:
            lines.append(f'Held-out samples: {compared(self.before, self.after)}.')
        return '\n'.join(lines)

    def __str__(self) -> str:
        rows = [_row(layer) for layer in self.layers]
        return f'{text.table(_HEADER, rows)}\n{_DECIBELS}\n{self.summary}'


def _row(layer: LayerRepair) -> List[str]:
    before, after = (
        '' if value is None else f'{value:.1f}' for value in (layer.before, layer.after)
    )
    return [layer.layer, layer.method, before, after, layer.note]


def repair_on(
    model: Model,
    plan: Plan,
    samples: Samples,
    options: RepairOptions = RepairOptions(),
    holdout: float = HOLDOUT,
    limits: RunLimits = STRICT,
    progress: Optional[Listener] = None,
) -> Repaired:
    """Like `repair_model`, on parts of some samples, and measured.

    Args:
      model: not changed.
      plan: which channels go, in mode 'block'.
      samples: for the inputs of the model.
      options: how.
      holdout: share of the samples that nothing is fitted to: half of it chooses, the
        other is only reported.
      limits: of the runs.
      progress: called after each pass over the samples.

    Raises:
      Tf1PruningError: like `repair_model` and `measured`.
    """
    comparing.check_scale(model.graph)
    parts = samples.split(holdout)
    fit, choose = parts.fit.batches, parts.choose.batches
    found = repair_model(model, plan, fit, choose, options, limits, progress)
    return measured(found, parts.report.batches, limits)


def repair_model(
    model: Model,
    plan: Plan,
    fit: Batches,
    choose: Batches,
    options: RepairOptions = RepairOptions(),
    limits: RunLimits = STRICT,
    progress: Optional[Listener] = None,
) -> Repaired:
    """Soft-prunes a model, and fits what is left to what it made before.

    Args:
      model: not changed.
      plan: which channels go, in mode 'block'.
      fit: samples to fit.
      choose: samples that decide how strongly a layer is fitted, and whether.
      options: how.
      limits: of the runs.
      progress: called after each pass over the samples.

    Raises:
      OptionError: if the plan is of another mode.
      PlanError: if the plan is of another model.
      DataError: if the samples do not fit the network, or are too few.
      GraphError: if the network is not safe to run, or runs too long.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      OutputError: if temporary files cannot be written.
    """
    mean_replacement.check_mode(plan.mode, 'Repair')
    plan_lib.check_fits(plan, model.groups, model.graph)
    if not limits.allow_unsafe:
        sessions.refuse('The outputs depend', model.unsafe_ops)
    zeroed = soft_pruning.with_zeros(model, plan)
    unpruned = unpruned_of(model)
    carriers = unpruned.carriers
    pruned = weights_of(zeroed, carriers)
    found = layerwise.repair(
        unpruned,
        pruned,
        plan_lib.removed_channels(plan, model.groups, model.trace.count),
        Seen(fit, choose),
        options,
        limits,
        progress,
    )
    new = {name: array for name, array in found.arrays.items() if name not in carriers}
    for source in set(carriers).intersection(found.arrays):
        new.update(carriers[source].carried(found.arrays[source], {**pruned, **new}))
    return Repaired(
        model, plan, with_new_weights(zeroed, new), found.layers, found.disk
    )


def measured(
    repaired: Repaired, report: Batches, limits: RunLimits = STRICT
) -> Repaired:
    """The same, with its changes on samples that took no part in the repair.

    Raises:
      DataError: if the samples do not fit, or the outputs have no scale.
      GraphError: if a network is not safe to run, or runs too long.
    """
    zeroed = soft_pruning.with_zeros(repaired.original, repaired.plan)
    _, before, after = comparing.changes(
        repaired.original.graph,
        repaired.original.frozen(),
        [zeroed.frozen(), repaired.model.frozen()],
        report,
        limits,
    )
    return dataclasses.replace(repaired, before=before.change, after=after.change)


def unpruned_of(model: Model) -> Unpruned:
    """What a repair knows of a model.

    Raises:
      GraphError: if it would not fit into a file.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    carriers = carriers_lib.carriers_of(model.trace, model.arrays())
    arrays = weights_of(model, carriers)
    return Unpruned(model.trace, repeatable(model), arrays, carriers)


def repeatable(model: Model) -> tf.GraphDef:
    """A model that runs on its own, on the same draws each time, in 32-bit floats."""
    return precision.widened(draws.seeded(model.frozen()))


def weights_of(model: Model, computed: Iterable[str]) -> Dict[str, np.ndarray]:
    """Weight node -> array, also of some kernels that are computed.

    Raises:
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    arrays = model.arrays()
    found = {name: computed_lib.value(model.trace, name, arrays) for name in computed}
    return {**model.constants(), **arrays, **found}
