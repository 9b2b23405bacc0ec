"""The whole way in one step: choose, soft-prune, repair, strip, distil, compare."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import files, typed
from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.choice import QUANTITIES, Choice, Limits, Target
from tf1pruning.choosing.scores import Scorer
from tf1pruning.choosing.width_table import WidthTable
from tf1pruning.errors import GraphError, OptionError, PlanError, VerificationError
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.recovery import comparing, network, similarity
from tf1pruning.recovery.comparing import Outcome
from tf1pruning.recovery.distillation import DistillOptions
from tf1pruning.recovery.layerwise import RepairOptions
from tf1pruning.report import text
from tf1pruning.report.cost import Cost
from tf1pruning.report.similarity import Similarity
from tf1pruning.sampling.parts import HOLDOUT, Parts, Samples
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import (
    budgets,
    data_scores,
    distilling,
    planning,
    repairing,
    soft_pruning,
    stripping,
    width_plans,
    width_tables,
)
from tf1pruning.steps.distilling import Distilled
from tf1pruning.steps.ranking import Ranking, ranking_by
from tf1pruning.steps.repairing import Repaired, frozen_of
from tf1pruning.steps.selection import select_groups
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.steps.width_tables import TableOptions, TableProgress

CRITERION = 'reconstruction'
# Samples that a table of widths is measured on.
_TABLE_SAMPLES = 128
# Samples on which layers are compared.
_COMPARED = 64
# Where the change is the budget: how often less is tried, to what share of the change,
# and by what factor less is expected at the least.
_TRIES, _MARGIN, _LESS = 6, 0.95, 0.9
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


@typed.checked
@dataclasses.dataclass(frozen=True)
class CompressOptions:
    """How small a network becomes, and how.

    Attributes:
      ratio: share of every group that goes; None: widths follow from a budget.
      target: share of MACs, parameters or latency that stays.
      max_change: the largest change of the outputs that is allowed, see `Change`: alone
        it is the budget, with another one it limits that.
      criterion: what ranks the channels of a group; one on data needs no loss.
      groups: 'all', 'inner' or 'auto', see `choose`.
      scope_names: scopes to prune; `['']`: the whole model.
      protect: regular expressions; groups in whose name one is found stay.
      limits: of the widths.
      distill_steps: of distillation after the repair; 0: none.
      holdout: share of the samples that nothing is fitted to: one half of it chooses,
        the other is only reported.
      seed: of all that is drawn.
      disk: bytes that temporary files of a part may take.

    Raises:
      OptionError: if no budget is given, or both a ratio and a target, or a value is
        out of range.
    """

    ratio: Optional[float] = None
    target: Optional[Target] = None
    max_change: Optional[float] = None
    criterion: str = CRITERION
    groups: str = select.ALL
    scope_names: Tuple[str, ...] = ('',)
    protect: Tuple[str, ...] = ()
    limits: Limits = Limits(multiple=4)
    distill_steps: int = 0
    holdout: float = HOLDOUT
    seed: int = 0
    disk: int = RepairOptions.disk

    def __post_init__(self) -> None:
        ways = tuple(f'target_{quantity}' for quantity in QUANTITIES)
        if self.ratio is not None and self.target is not None:
            raise OptionError(
                'A ratio and a target are given: give one of them.',
                options=('ratio', *ways),
            )
        if all(way is None for way in (self.ratio, self.target, self.max_change)):
            raise OptionError(
                'Nothing says how small the network shall be: give a ratio, a target '
                'or the largest change.',
                options=('ratio', *ways, 'max_change'),
            )
        if self.max_change is not None and not self.max_change > 0:
            raise OptionError(
                f'The largest change is {self.max_change}; expected above 0.'
            )
        if self.distill_steps < 0:
            raise OptionError(
                f'There are {self.distill_steps} steps of distillation; expected 0 or '
                'more.'
            )
        if self.ratio is not None:
            Choice(ratio=self.ratio)


@dataclasses.dataclass(frozen=True)
class Stage:
    """What a network is at a stage of the way.

    Attributes:
      macs: multiply-accumulates of one example; None: not known.
      parameters: elements of its weights.
      bytes: of its frozen graph.
      latency_ms: median time of a run on two random examples; None: not known.
      change: of its outputs, on samples that took no part, see `Change`.
      agreement: share of these in which the largest element is that of the original.
      accuracy: share of these with the right class; None without labels.
    """

    macs: Optional[int]
    parameters: int
    bytes: int
    latency_ms: Optional[float]
    change: float
    agreement: Optional[float]
    accuracy: Optional[float]


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
            name: dataclasses.asdict(stage) for name, stage in self.stages.items()
        }
        return {
            'distilled': None,
            **fields,
            'repair': [dataclasses.asdict(layer) for layer in self.repaired.layers],
            'similarity': [layer._asdict() for layer in self.similarities],
        }

    def __str__(self) -> str:
        rows = [_row(name, stage) for name, stage in self.stages.items()]
        return text.table(_HEADER, rows)


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


@dataclasses.dataclass(frozen=True)
class Progress:
    """Whom to tell how far a long part is.

    Attributes:
      table: of the widths.
      repair: passes done, and in all.
      distill: see `recovery.distillation`.
    """

    table: Optional[Callable[[TableProgress], None]] = None
    repair: Optional[Callable[[int, int], None]] = None
    distill: Optional[Callable[[int, int, float, float], None]] = None


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
    comparing.check_scale(model.graph)
    selection = select_groups(model, options.scope_names, options.groups)
    protected = select.unprotected(selection.groups, list(options.protect))
    groups = list(protected.values())
    ranking = _ranking(model, groups, parts, options, limits)
    if options.ratio is not None:
        choice = Choice(ratio=options.ratio, limits=options.limits)
        plan = planning.plan_by_choice(model, groups, choice, ranking, limits=limits)
        expected = None
    else:
        scorer = ranking.scorer(model)
        found = _table(model, groups, scorer, parts, options, table, limits, progress)
        plan, expected = _by_table(model, groups, found, options, limits)
    before, after = budgets.planned_costs(model, plan)
    return Planned(plan, expected, before, after)


def _ranking(
    model: Model,
    groups: Sequence[Group],
    parts: Parts,
    options: CompressOptions,
    limits: RunLimits,
) -> Ranking:
    """The criterion, with scores on the samples to fit if it looks at data."""
    ranking = ranking_by(options.criterion, seed=options.seed)
    if not ranking.needs_data:
        return ranking
    criteria = [ranking.criterion.name]
    subject = data_scores.subject_for(
        model, criteria, allow_unsafe=limits.allow_unsafe, timeout=limits.seconds
    )
    batches = parts.fit.batches
    return ranking.with_scores(
        data_scores.score_groups(subject, groups, batches, criteria)
    )


def _table(
    model: Model,
    groups: Sequence[Group],
    scorer: Scorer,
    parts: Parts,
    options: CompressOptions,
    path: Optional[files.Path],
    limits: RunLimits,
    progress: Progress,
) -> WidthTable:
    """The table of widths, measured as far as a file does not have it."""
    repair = RepairOptions(disk=options.disk, seed=options.seed)
    fit = parts.fit.some(_TABLE_SAMPLES).batches
    judged = parts.choose.some(_TABLE_SAMPLES).batches
    samples = width_tables.Samples(fit, judged, judged)
    how = TableOptions(limits=options.limits, repair=repair, runs=limits)
    return width_tables.measure(
        model, groups, scorer, samples, how, path, progress.table
    )


def _by_table(
    model: Model,
    groups: Sequence[Group],
    table: WidthTable,
    options: CompressOptions,
    limits: RunLimits,
) -> Tuple[Plan, float]:
    if options.target is not None:
        return width_plans.plan_for_target(model, groups, table, options.target, limits)
    assert options.max_change is not None, 'there is a budget'
    return width_plans.plan_for_change(model, groups, table, options.max_change)


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
                cache_bytes=options.disk,
            ),
            state,
            progress.distill,
        )
    final = small if distillation is None else distillation.stripped
    found = {'repaired': small.frozen}
    if distillation is not None:
        found['distilled'] = final.frozen
    stages, repaired = _stages(repaired, found, parts.report, small, limits)
    _check_change(stages, options)
    layers = _similarities(model, small, final, planned.plan, parts.report, limits)
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
    is_budget = options.ratio is None and options.target is None
    asked = options
    for _ in range(_TRIES):
        planned = plan_model(model, parts, asked, table, limits, progress)
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
            RepairOptions(disk=options.disk, seed=options.seed),
            limits,
            progress.repair,
        )
        if not is_budget or options.distill_steps:
            break
        assert options.max_change is not None and asked.max_change is not None
        found = repairing.measured(repaired, parts.choose.batches, limits).after
        assert found is not None, 'it was measured'
        if found.worst <= _MARGIN * options.max_change:
            break
        less = min(_MARGIN * options.max_change / found.worst, _LESS)
        asked = dataclasses.replace(asked, max_change=less * asked.max_change)
    return planned, repaired


def _similarities(
    model: Model,
    small: StrippedModel,
    final: StrippedModel,
    plan: Plan,
    report: Samples,
    limits: RunLimits,
) -> Tuple[Similarity, ...]:
    """How near each layer is to the unpruned network, at each stage."""
    gone = plan_lib.removed_channels(plan, model.groups, model.trace.count)
    batches = report.some(_COMPARED).batches
    others = [soft_pruning.with_zeros(model, plan), small.original]
    others += [] if final is small else [final.original]
    found = [
        similarity.similarities(
            model.trace,
            network.runnable(frozen_of(model)),
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


def _stages(
    repaired: Repaired,
    small: Dict[str, tf.GraphDef],
    report: Samples,
    stripped: StrippedModel,
    limits: RunLimits,
) -> Tuple[Dict[str, Stage], Repaired]:
    """The networks of all stages, measured on the samples that took no part."""
    model = repaired.original
    original = frozen_of(model)
    zeroed = frozen_of(soft_pruning.with_zeros(model, repaired.plan))
    answered = comparing.changes(
        model.graph,
        original,
        [zeroed, *small.values()],
        report.batches,
        limits,
        report.labels,
    )
    names_of = ('original', 'pruned', *small)
    outputs = model.graph.outputs
    # Without repair the stripped network is as large and as fast as with it.
    graphs = [original, small['repaired'], *small.values()]
    latencies = {'original': _latency(original, outputs, limits)}
    after = _latency(small['repaired'], outputs, limits)
    latencies['pruned'] = latencies['repaired'] = after
    costs = [stripped.before, *[stripped.after] * (len(graphs) - 1)]
    stages = {
        name: _stage(cost, graph, latencies.get(name, latencies['pruned']), found)
        for name, cost, graph, found in zip(names_of, costs, graphs, answered)
    }
    measured = dataclasses.replace(
        repaired, before=answered[1].change, after=answered[2].change
    )
    return stages, measured


def _stage(
    cost: Cost, frozen: tf.GraphDef, latency: Optional[float], answered: Outcome
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


def _check_change(stages: Dict[str, Stage], options: CompressOptions) -> None:
    """Raises VerificationError if the outputs change more than allowed."""
    name, last = list(stages.items())[-1]
    most = options.max_change
    if most is not None and not last.change <= most:
        more = '' if options.distill_steps else ', distil'
        raise VerificationError(
            f'The outputs of the {name} network change by {last.change:.4f} on samples '
            f'that took no part; at most {most:g} is allowed. Nothing was written. Let '
            f'less go{more}, or allow more.',
            options=('max_change', 'distill_steps'),
        )
