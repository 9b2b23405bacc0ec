"""Chooses what goes of a model, within a budget, by samples without labels."""

from __future__ import annotations

import dataclasses
import functools
from typing import Optional, Tuple

import numpy as np

from tf1pruning import files
from tf1pruning.channels import select
from tf1pruning.choosing import width_filling
from tf1pruning.choosing.choice import Choice, Target
from tf1pruning.choosing.width_table import WidthTable
from tf1pruning.clock import Listener
from tf1pruning.criteria import registry
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.recovery import comparing
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.report import text
from tf1pruning.report.cost import Cost
from tf1pruning.sampling.parts import Parts
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import (
    budgets,
    data_scores,
    planning,
    width_corrections,
    width_measuring,
    width_plans,
)
from tf1pruning.steps.compress_options import CompressOptions
from tf1pruning.steps.ranking import Ranking, ranking_by
from tf1pruning.steps.selection import select_groups
from tf1pruning.steps.width_files import TriedPlans
from tf1pruning.steps.width_measuring import TableOptions, TableSamples
from tf1pruning.steps.width_plans import WidthPlan

# Samples that a table of widths is measured on, those to fit and those to judge by;
# share of the former that does not take part in a fit.
_TABLE_SAMPLES, _TABLE_HOLDOUT = 128, 0.2
# Plans are tried on more, unless samples are large.
_TRIAL_SAMPLES, _TRIAL_BYTES = 512, 1 << 25


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


def plan_model(
    model: Model,
    parts: Parts,
    options: CompressOptions,
    table: Optional[files.Path] = None,
    limits: RunLimits = STRICT,
    progress: Optional[Listener] = None,
) -> Planned:
    """Chooses what goes within the budget of some options.

    Args:
      model: the model.
      parts: samples, for a table of widths and for a criterion on data.
      options: the budget.
      table: file of the table of widths, to go on from; None: it is not kept.
      limits: of the runs.
      progress: called after each step of each part.

    Raises:
      PlanError: if the budget is out of reach: says how far it can go.
      OptionError: if the criterion needs a loss.
      DataError: if the outputs have no scale, or the samples do not fit the model.
      GraphError: if a scope holds no group, or MACs are asked for and not known.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    comparing.check_scale(model.graph)
    planner = Planner(model, parts, options, table, limits, progress)
    return planner.planned(options.max_change)


class Planner:
    """Plans within budgets; what ranks and compares channels is measured once."""

    def __init__(
        self,
        model: Model,
        parts: Parts,
        options: CompressOptions,
        table: Optional[files.Path],
        limits: RunLimits,
        progress: Optional[Listener],
    ):
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
            self._path, self._measured = table, self._measure(table)
            self._table = width_filling.filled(
                self._measured,
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
        samples = self._trial_samples()
        trials = TriedPlans(self._measured, self._path, samples)

        def trial(plan: Plan) -> float:
            return trials.change(
                plan,
                lambda: width_measuring.repaired_change(
                    model, plan, samples, self._tables
                ),
            )

        plan_by = functools.partial(self._plan_for, options.target)
        return width_corrections.corrected(self._table, plan_by, trial, self._progress)

    def _plan_for(self, target: Target, table: WidthTable) -> WidthPlan:
        return width_plans.plan_for_target(
            self._model, self._groups, table, target, self._limits
        )

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
        choose = judged = self._parts.choose.some(count)
        if fit.count >= 3 * fit.least:
            fit, choose, _ = fit.split(_TABLE_HOLDOUT)
        return TableSamples(fit.batches, choose.batches, judged.batches)

    def _trial_samples(self) -> TableSamples:
        first = self._parts.fit.first(1)
        size = sum(array.nbytes for array in first.values())
        fits = _TRIAL_BYTES // max(size, 1)
        return self._some(int(np.clip(fits, _TABLE_SAMPLES, _TRIAL_SAMPLES)))

    def _table_options(self) -> TableOptions:
        return TableOptions(
            limits=self._options.limits,
            repair=repair_options(self._options),
            runs=self._limits,
        )

    def _measure(self, path: Optional[files.Path]) -> WidthTable:
        """The table of widths, measured as far as a file does not have it."""
        return width_measuring.measure(
            self._model,
            self._groups,
            self._ranking.scorer(self._model),
            self._some(_TABLE_SAMPLES),
            self._tables,
            path,
            self._progress,
        )


def repair_options(options: CompressOptions) -> RepairOptions:
    """How `compress` repairs."""
    return RepairOptions(disk=options.disk, seed=options.seed)
