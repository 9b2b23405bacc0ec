"""The whole way in one step: choose, soft-prune, repair, strip, distil, compare."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional, Tuple

from tf1pruning import files
from tf1pruning.clock import Listener
from tf1pruning.errors import PlanError, VerificationError
from tf1pruning.models.model import Model
from tf1pruning.recovery import comparing
from tf1pruning.recovery.distillation import DistillOptions
from tf1pruning.report.similarity import Similarity
from tf1pruning.sampling.parts import Parts, Samples
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import (
    compress_stages,
    distilling,
    repairing,
    stripping,
)
from tf1pruning.steps.compress_options import CompressOptions
from tf1pruning.steps.compress_plans import (
    Planned,
    Planner,
    repair_options,
)
from tf1pruning.steps.compress_stages import DISTILLED, Reached, Stage
from tf1pruning.steps.distilling import Distilled
from tf1pruning.steps.repairing import Repaired
from tf1pruning.steps.stripping import StrippedModel

# Where the change is the budget: how often less is tried, to what share of the change,
# and by what factor less is expected at the least.
_TRIES, _MARGIN, _LESS = 6, 0.95, 0.9


@dataclasses.dataclass(frozen=True, eq=False)
class Compressed:
    """A compressed network, stage by stage.

    Attributes:
      planned: what was done.
      repaired: the soft-pruned and repaired model.
      distillation: what distillation found; None: there was none.
      stripped: the small network, verified: `save` writes it.
      stages: 'original', 'pruned', 'repaired' and 'distilled' -> what the network is.
      target: what became of the target; None: there was none.
      similarities: of each layer that pruning reaches.
    """

    planned: Planned
    repaired: Repaired = dataclasses.field(repr=False)
    distillation: Optional[Distilled] = dataclasses.field(repr=False)
    stripped: StrippedModel = dataclasses.field(repr=False)
    stages: Dict[str, Stage]
    target: Optional[Reached]
    similarities: Tuple[Similarity, ...] = dataclasses.field(repr=False)

    def report(self) -> Dict[str, Any]:
        """The stages and the layers as plain data, for `report.json`."""
        fields: Dict[str, Any] = {
            name: stage.fields() for name, stage in self.stages.items()
        }
        return {
            DISTILLED: None,
            **fields,
            'target': None if self.target is None else dataclasses.asdict(self.target),
            'repair': [dataclasses.asdict(layer) for layer in self.repaired.layers],
            'similarity': [layer._asdict() for layer in self.similarities],
        }

    def __str__(self) -> str:
        table = compress_stages.table(self.stages)
        return table if self.target is None else f'{table}\n{self.target}'


def compress_model(
    model: Model,
    samples: Samples,
    options: CompressOptions,
    table: Optional[files.Path] = None,
    state: Optional[str] = None,
    limits: RunLimits = STRICT,
    progress: Optional[Listener] = None,
) -> Compressed:
    """Makes a model smaller, with answers as near as samples can bring them.

    Args:
      model: not changed.
      samples: without labels; labels that they have are only reported.
      options: how small, and how.
      table: file of the table of widths, to go on from; None: it is not kept.
      state: file of the distillation, to go on from; None: it is not kept.
      limits: of the runs.
      progress: called after each step of each part.

    Raises:
      PlanError: if the budget is out of reach, or nothing goes.
      VerificationError: if the outputs change more than allowed, or the stripped
        network differs from the soft-pruned one.
      OptionError, DataError, GraphError, CheckpointError, OutputError: like the steps.
    """
    parts = samples.split(options.holdout)
    comparing.check_varies(model.graph, model.frozen(), parts.report.batches, limits)
    planner = Planner(model, parts, options, table, limits, progress)
    planned, repaired = _repaired(planner, model, parts, options, limits, progress)
    small = stripping.strip_model(repaired.model, planned.plan, limits=limits)
    distillation = None
    if options.distill_steps:
        distillation = distilling.distill(
            small,
            model,
            parts.fit.batches,
            parts.choose.batches,
            DistillOptions(
                steps=options.distill_steps,
                seed=options.seed,
                disk=options.disk,
            ),
            state,
            progress,
        )
    distilled = None if distillation is None else distillation.stripped
    repaired, stages = compress_stages.measure(
        repaired, small, distilled, parts.report, limits
    )
    _check_change(stages, options)
    final = distilled or small
    layers = compress_stages.similarities(
        repaired, small, distilled, parts.report, limits
    )
    target = None if options.target is None else Reached.of(options.target, stages)
    return Compressed(planned, repaired, distillation, final, stages, target, layers)


def _repaired(
    planner: Planner,
    model: Model,
    parts: Parts,
    options: CompressOptions,
    limits: RunLimits,
    progress: Optional[Listener],
) -> Tuple[Planned, Repaired]:
    """What goes, and what is left of it, repaired.

    Where the change of the outputs is the budget, less goes until that is kept to on
    the samples that choose: a table only estimates it.
    """
    is_budget = options.ratio is None and options.target is None
    most = asked = options.max_change
    reached = 0.0
    for _ in range(_TRIES):
        try:
            planned = planner.planned(asked)
        except PlanError as error:
            if not reached:
                raise
            raise PlanError(
                f'The outputs may change by {most:g}. The plan that was tried changes '
                f'them by {reached:.2g}, and no plan removes less. Allow more.',
                options=('max_change',),
            ) from error
        if not planned.plan.removed_count:
            raise PlanError(
                'No channel goes within this budget. Allow more, or a smaller multiple '
                'of widths.',
                options=('channel_multiple', 'groups'),
            )
        repaired = repairing.repair_model(
            model,
            planned.plan,
            parts.fit.batches,
            parts.choose.batches,
            repair_options(options),
            limits,
            progress,
        )
        if not is_budget or options.distill_steps:
            break
        found = repairing.measured(repaired, parts.choose.batches, limits).after
        assert most is not None and asked is not None, 'there is a budget'
        assert found is not None, 'it was measured'
        reached = found.worst
        if reached <= _MARGIN * most:
            break
        asked *= min(_MARGIN * most / reached, _LESS)
    return planned, repaired


def _check_change(stages: Dict[str, Stage], options: CompressOptions) -> None:
    """Raises VerificationError if the outputs change more than allowed."""
    name, last = list(stages.items())[-1]
    most = options.max_change
    if most is not None and not last.change <= most:
        more = '' if options.distill_steps else ', distil'
        raise VerificationError(
            f'The outputs of the {name} network change by {last.change:.4f} on samples '
            f'that took no part; at most {most:g} is allowed. No network was written. '
            f'Let less go{more}, or allow more.',
            options=('max_change', 'distill_steps'),
        )
