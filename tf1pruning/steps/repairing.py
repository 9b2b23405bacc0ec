"""Repairs a soft-pruned model on samples without labels."""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterable, Optional, Tuple

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.graph import draws
from tf1pruning.graph.frozen import freeze, precision
from tf1pruning.models.model import Model
from tf1pruning.models.new_weights import with_new_weights
from tf1pruning.plan import Plan
from tf1pruning.recovery import carriers as carriers_lib
from tf1pruning.recovery import layerwise
from tf1pruning.recovery.layerwise import LayerRepair, Progress, RepairOptions
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import soft_pruning
from tf1pruning.surgery import computed as computed_lib
from tf1pruning.surgery import mean_replacement


@dataclasses.dataclass(frozen=True, eq=False)
class Repaired:
    """A model that was soft-pruned and repaired.

    Attributes:
      original: the unpruned model.
      model: soft-pruned and repaired.
      layers: what became of each layer behind a cut.
      disk: the most bytes that temporary files took.
    """

    original: Model
    model: Model
    layers: Tuple[LayerRepair, ...]
    disk: int


def repair_model(
    model: Model,
    plan: Plan,
    fit: Batches,
    held_out: Batches,
    options: RepairOptions = RepairOptions(),
    progress: Optional[Progress] = None,
) -> Repaired:
    """Soft-prunes a model, and fits what is left to what it made before.

    Args:
      model: not changed.
      plan: which channels go, in mode 'block'.
      fit: samples to fit.
      held_out: samples that decide whether a layer stays as it is.
      options: how.
      progress: called after each pass over the samples.

    Raises:
      OptionError: if the plan is of another mode.
      DataError: if the samples do not fit the network, or are too few.
      GraphError: if the network is not safe to run.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      OutputError: if temporary files cannot be written.
    """
    mean_replacement.check_mode(plan.mode)
    zeroed = soft_pruning.with_zeros(model, plan)
    carriers = carriers_lib.carriers_of(model.trace, model.arrays())
    frozen = freeze.freeze(model.graph, model.arrays())
    pruned = _weights(zeroed, carriers)
    found = layerwise.repair(
        model.trace,
        precision.widened(draws.seeded(frozen)),
        _weights(model, carriers),
        pruned,
        plan_lib.removed_channels(plan, model.groups, model.trace.count),
        fit,
        held_out,
        carriers,
        options,
        progress,
    )
    new = {name: array for name, array in found.arrays.items() if name not in carriers}
    for source in set(carriers).intersection(found.arrays):
        new.update(carriers[source].carried(found.arrays[source], {**pruned, **new}))
    return Repaired(model, with_new_weights(zeroed, new), found.layers, found.disk)


def _weights(model: Model, computed: Iterable[str]) -> Dict[str, np.ndarray]:
    """Weight node -> array, also of some kernels that are computed."""
    arrays = model.arrays()
    found = {name: computed_lib.value(model.trace, name, arrays) for name in computed}
    return {**model.constants(), **arrays, **found}
