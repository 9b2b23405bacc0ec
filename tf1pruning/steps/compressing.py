"""The whole way in one step: choose, soft-prune, repair, strip, distil, compare."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from tf1pruning import files
from tf1pruning.channels import select
from tf1pruning.choosing import width_filling
from tf1pruning.choosing.choice import Choice, Target
from tf1pruning.choosing.width_table import WidthTable
from tf1pruning.criteria import registry
from tf1pruning.errors import PlanError, VerificationError
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.recovery import comparing
from tf1pruning.recovery.distillation import DistillOptions, DistillProgress
from tf1pruning.recovery.layerwise import RepairOptions
from tf1pruning.report import text
from tf1pruning.report.cost import Cost
from tf1pruning.report.similarity import Similarity
from tf1pruning.sampling.parts import Parts, Samples
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import (
    budgets,
    compress_stages,
    data_scores,
    distilling,
    planning,
    repairing,
    stripping,
    width_corrections,
    width_plans,
    width_tables,
)
from tf1pruning.steps.compress_options import CompressOptions
from tf1pruning.steps.compress_stages import DISTILLED, Stage
from tf1pruning.steps.distilling import Distilled
from tf1pruning.steps.ranking import Ranking, ranking_by
from tf1pruning.steps.repairing import Repaired
from tf1pruning.steps.selection import select_groups
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.steps.width_plans import WidthPlan
from tf1pruning.steps.width_tables import TableOptions, TableProgress, TableSamples

# Samples that a table of widths is measured on, those to fit and those to judge by;
# share of the former that does not take part in a fit.
_TABLE_SAMPLES, _TABLE_HOLDOUT = 128, 0.2
# Plans are tried on more, unless samples are large.
_TRIAL_SAMPLES, _TRIAL_BYTES = 512, 1 << 25
# Where the change is the budget: how often less is tried, to what share of the change,
# and by what factor less is expected at the least.
_TRIES, _MARGIN, _LESS = 6, 0.95, 0.9


@dataclasses.dataclass(frozen=True, eq=False)
class Planned:
    """What would be done within a budget.

    Attributes:
      plan: which channels go.
      change: of the outputs that is expected; None: not estimated.
      before: cost of the model.
      after: cost of what is left.
    """

    plan: Plan
    change: Optional[float]
    before: Cost
    after: Cost

    def __str__(self) -> str:
        lines = [text.table(text.GROUP_HEADER, text.group_rows(self.plan))]
        lines.append(
            f'{self.plan.removed_count} of {self.plan.channel_count} channels go: '
            f'parameters {self.before.parameters:,} -> {self.after.parameters:,}, '
            f'MACs {text.number(self.before.macs)} -> {text.number(self.after.macs)}.'
        )
        if self.change is not None:
            lines.append(f'Expected change of the outputs: {self.change:.3f}.')
        return '\n'.join(lines)


@dataclasses.dataclass(frozen=True, eq=False)
class Compressed:
    """A compressed network, stage by stage.

    Attributes:
      planned: what was done.
      repaired: the soft-pruned and repaired model.
      distillation: what distillation found; None: there was none.
      stripped: the small network, verified: `save` writes it.
      stages: 'original', 'pruned', 'repaired' and 'distilled' -> what the network is.
      similarities: of each layer that pruning reaches.
    """

    planned: Planned
    repaired: Repaired = dataclasses.field(repr=False)
    distillation: Optional[Distilled] = dataclasses.field(repr=False)
    stripped: StrippedModel = dataclasses.field(repr=False)
    stages: Dict[str, Stage]
    similarities: Tuple[Similarity, ...] = dataclasses.field(repr=False)

    def report(self) -> Dict[str, Any]:
        """The stages and the layers as plain data, for `report.json`."""
        fields: Dict[str, Any] = {
            name: stage.fields() for name, stage in self.stages.items()
        }
        return {
            DISTILLED: None,
            **fields,
            'repair': [dataclasses.asdict(layer) for layer in self.repaired.layers],
            'similarity': [layer._asdict() for layer in self.similarities],
        }

    def __str__(self) -> str:
        return compress_stages.table(self.stages)


@dataclasses.dataclass(frozen=True)
class Progress:
    """Whom to tell how far a long part is.

    Attributes:
      table: of the widths.
      correct: see `width_corrections`.
      repair: passes done, and in all.
      distill: of the distillation.
    """

    table: Optional[Callable[[TableProgress], None]] = None
    correct: Optional[Callable[[int, int, float], None]] = None
    repair: Optional[Callable[[int, int], None]] = None
    distill: Optional[Callable[[DistillProgress], None]] = None


_SILENT = Progress()


def plan_model(
    model: Model,
    parts: Parts,
    options: CompressOptions,
    table: Optional[files.Path] = None,
    limits: RunLimits = STRICT,
    progress: Progress = _SILENT,
) -> Planned:
    """Chooses what goes within the budget of some options.

    Args:
      model: the model.
      parts: samples, for a table of widths and for a criterion on data.
      options: the budget.
      table: file of the table of widths, to go on from; None: it is not kept.
      limits: of the runs.
      progress: whom to tell.

    Raises:
      PlanError: if the budget is out of reach: says how far it can go.
      OptionError: if the criterion needs a loss.
      DataError: if the samples do not fit the model.
      GraphError: if a scope holds no group, or MACs are asked for and not known.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    planner = _Planner(model, parts, options, table, limits, progress)
    return planner.planned(options.max_change)


class _Planner:
    """Plans within budgets; what ranks and compares channels is measured once."""

    def __init__(
        self,
        model: Model,
        parts: Parts,
        options: CompressOptions,
        table: Optional[files.Path],
        limits: RunLimits,
        progress: Progress,
    ):
        comparing.check_scale(model.graph)
        self._model, self._parts = model, parts
        self._options, self._limits = options, limits
        selection = select_groups(model, options.scope_names, options.groups)
        protected = select.unprotected(selection.groups, list(options.protect))
        self._groups = list(protected.values())
        self._ranking = self._ranked()
        self._progress = progress
        self._table: Optional[WidthTable] = None
        if options.ratio is None:
            self._tables = self._table_options()
            self._table = width_filling.filled(
                self._measured(table),
                self._groups,
                self._ranking.scorer(model),
                options.limits,
            )

    def planned(self, most: Optional[float]) -> Planned:
        """What goes within the budget.

        Args:
          most: the largest change of the outputs, where that is the budget.
        """
        plan, expected = self._plan(most)
        before, after = budgets.planned_costs(self._model, plan)
        return Planned(plan, expected, before, after)

    def _plan(self, most: Optional[float]) -> Tuple[Plan, Optional[float]]:
        model, groups, options = self._model, self._groups, self._options
        if self._table is None:
            choice = Choice(ratio=options.ratio, limits=options.limits)
            return planning.plan_by_choice(model, groups, choice, self._ranking), None
        if options.target is None:
            assert most is not None, 'there is a budget'
            return width_plans.plan_for_change(model, groups, self._table, most)
        return width_corrections.corrected(
            self._table,
            functools.partial(self._plan_for, options.target),
            functools.partial(self._trial, self._trial_samples()),
            self._progress.correct,
        )

    def _plan_for(self, target: Target, table: WidthTable) -> WidthPlan:
        return width_plans.plan_for_target(
            self._model, self._groups, table, target, self._limits
        )

    def _trial(self, samples: TableSamples, plan: Plan) -> float:
        return width_tables.repaired_change(self._model, plan, samples, self._tables)

    def _ranked(self) -> Ranking:
        """The criterion, with scores on the samples to fit if it looks at data."""
        ranking = ranking_by(self._options.criterion, seed=self._options.seed)
        if not ranking.needs_data:
            return ranking
        criteria = [ranking.criterion.name]
        registry.check_without_loss(criteria[0])
        subject = data_scores.subject_for(
            self._model,
            criteria,
            allow_unsafe=self._limits.allow_unsafe,
            timeout=self._limits.seconds,
        )
        batches = self._parts.fit.batches
        return ranking.with_scores(
            data_scores.score_groups(subject, self._groups, batches, criteria)
        )

    def _some(self, count: int) -> TableSamples:
        """A few of the samples."""
        fit = self._parts.fit.some(count)
        held_out = judged = self._parts.choose.some(count)
        if fit.count >= 3 * fit.least:
            fit, held_out, _ = fit.split(_TABLE_HOLDOUT)
        return TableSamples(fit.batches, held_out.batches, judged.batches)

    def _trial_samples(self) -> TableSamples:
        first = self._parts.fit.first(1)
        size = sum(array.nbytes for array in first.values())
        fits = _TRIAL_BYTES // max(size, 1)
        return self._some(int(np.clip(fits, _TABLE_SAMPLES, _TRIAL_SAMPLES)))

    def _table_options(self) -> TableOptions:
        return TableOptions(
            limits=self._options.limits,
            repair=_repair_options(self._options),
            runs=self._limits,
        )

    def _measured(self, path: Optional[files.Path]) -> WidthTable:
        """The table of widths, measured as far as a file does not have it."""
        return width_tables.measure(
            self._model,
            self._groups,
            self._ranking.scorer(self._model),
            self._some(_TABLE_SAMPLES),
            self._tables,
            path,
            self._progress.table,
        )


def _repair_options(options: CompressOptions) -> RepairOptions:
    return RepairOptions(disk=options.disk, seed=options.seed)


def compress_model(
    model: Model,
    samples: Samples,
    options: CompressOptions,
    table: Optional[files.Path] = None,
    state: Optional[str] = None,
    limits: RunLimits = STRICT,
    progress: Progress = _SILENT,
) -> Compressed:
    """Makes a model smaller, with answers as near as samples can bring them.

    Args:
      model: not changed.
      samples: without labels; labels that they have are only reported.
      options: how small, and how.
      table: file of the table of widths, to go on from; None: it is not kept.
      state: file of the distillation, to go on from; None: it is not kept.
      limits: of the runs.
      progress: whom to tell.

    Raises:
      PlanError: if the budget is out of reach, or nothing goes.
      VerificationError: if the outputs change more than allowed, or the stripped
        network differs from the soft-pruned one.
      OptionError, DataError, GraphError, CheckpointError, OutputError: like the steps.
    """
    parts = samples.split(options.holdout)
    comparing.check_scale(model.graph)
    unpruned = repairing.frozen_of(model)
    comparing.check_varies(model.graph, unpruned, parts.report.batches, limits)
    planned, repaired = _repaired(model, parts, options, table, limits, progress)
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
            progress.distill,
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
    return Compressed(planned, repaired, distillation, final, stages, layers)


def _repaired(
    model: Model,
    parts: Parts,
    options: CompressOptions,
    table: Optional[files.Path],
    limits: RunLimits,
    progress: Progress,
) -> Tuple[Planned, Repaired]:
    """What goes, and what is left of it, repaired.

    Where the change of the outputs is the budget, less goes until that is kept to on
    the samples that choose: a table only estimates it.
    """
    planner = _Planner(model, parts, options, table, limits, progress)
    is_budget = options.ratio is None and options.target is None
    most = asked = options.max_change
    for _ in range(_TRIES):
        planned = planner.planned(asked)
        if not planned.plan.removed_count:
            raise PlanError(
                'No channel goes within this budget. Allow more, or widths that are '
                'other multiples.',
                options=('channel_multiple', 'groups'),
            )
        repaired = repairing.repair_model(
            model,
            planned.plan,
            parts.fit.batches,
            parts.choose.batches,
            _repair_options(options),
            limits,
            progress.repair,
        )
        if not is_budget or options.distill_steps:
            break
        found = repairing.measured(repaired, parts.choose.batches, limits).after
        assert most is not None and asked is not None, 'there is a budget'
        assert found is not None, 'it was measured'
        if found.worst <= _MARGIN * most:
            break
        asked *= min(_MARGIN * most / found.worst, _LESS)
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
