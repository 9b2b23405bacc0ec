"""Measures how much the answers of a model change when its groups get narrower."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import (
    Callable,
    Collection,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from tf1pruning import files
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.choosing import groupwise
from tf1pruning.choosing.choice import Limits
from tf1pruning.choosing.scores import Scorer
from tf1pruning.choosing.width_table import GroupWidths, Width, WidthTable
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.recovery import carriers as carriers_lib
from tf1pruning.recovery import comparing
from tf1pruning.recovery.layerwise import RepairOptions
from tf1pruning.recovery.width_trials import WidthTrials
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import repairing, width_files
from tf1pruning.surgery import computed, soft

EIGHTHS = tuple(number / 8 for number in range(1, 8))


class TableSamples(NamedTuple):
    """Samples without labels, in parts.

    Attributes:
      fit: to fit.
      held_out: to choose by, how strongly weights are drawn to what they were.
      judged: on which the answers are compared; where weights outnumber samples, others
        than those of `held_out`.
    """

    fit: Batches
    held_out: Batches
    judged: Batches


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """Which widths are measured, and how.

    Attributes:
      limits: of the widths.
      shares: of a group's channels that go; besides, the most that the limits allow.
      repair: of the readers.
      repairs_later: whether one repair of all later layers for each group says how much
        they make up for; it takes longer than all else.
      runs: what they may do.
    """

    limits: Limits = Limits(multiple=4)
    shares: Tuple[float, ...] = EIGHTHS
    repair: RepairOptions = RepairOptions()
    repairs_later: bool = True
    runs: RunLimits = STRICT


class TableProgress(NamedTuple):
    """How far a measurement is.

    Attributes:
      done: number of widths, and of repairs of all later layers.
      total: of all groups.
      seconds: that are left; an estimate.
    """

    done: int
    total: int
    seconds: float


def measure(
    model: Model,
    groups: Sequence[Group],
    scorer: Scorer,
    samples: TableSamples,
    options: TableOptions = TableOptions(),
    path: Optional[files.Path] = None,
    progress: Optional[Callable[[TableProgress], None]] = None,
) -> WidthTable:
    """Measures the change of the answers at some widths of each group.

    At each width the channels that score highest go, of this group alone, and the
    layers that read it are repaired. How much later layers would make up for is
    measured once for each group.

    Args:
      model: not changed.
      groups: that may be cut.
      scorer: ranks their channels.
      samples: without labels.
      options: which widths, and how.
      path: of the table as a file. It is written after each group; what a file there
        has of this model and these samples is not measured again.
      progress: called after each width that is measured.

    Raises:
      PlanError: if the file is no table, or one of another model or other samples.
      DataError: if the samples do not fit the network, are too few, or all alike.
      GraphError: if the network is not safe to run.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      OutputError: if a file cannot be written.
    """
    empty = WidthTable(
        model=width_files.digest(model),
        samples=width_files.digest_of(samples),
        seed=options.repair.seed,
        multiple=options.limits.multiple,
        groups=(),
    )
    found = _known(empty, path)
    wanted = [(group, list(_plans(group, scorer, options))) for group in groups]
    missing = [found.missing(plans, options.repairs_later) for _, plans in wanted]
    work = _Work(model, groups, samples, options, sum(map(len, missing)), progress)
    try:
        for group, steps in zip(groups, missing):
            if steps:
                work.measure(group, steps, found)
                if path is not None:
                    width_files.save(_table(empty, wanted, found, options), path)
    finally:
        work.close()
    return _table(empty, wanted, found, options)


def plan_of(
    model: Model, groups: Sequence[Group], plans: Sequence[GroupPlan], multiple: int
) -> Plan:
    """The plan of groups that were planned; all of them are named in it."""
    return Plan(
        fingerprint=plan_lib.fingerprint(groups, model.graph),
        mode=plan_lib.BLOCK,
        channel_multiple=multiple,
        threshold=None,
        groups=tuple(plans),
    )


class _Step(NamedTuple):
    """A width to measure; or, of one whose change is known, what later layers leave."""

    plan: GroupPlan
    is_later: bool = False


class _Found(NamedTuple):
    """What is known of a table.

    Attributes:
      changes: group, removed channels -> change.
      left: group -> share of its changes that is left once later layers are repaired.
    """

    changes: Dict[Tuple[str, Tuple[int, ...]], float]
    left: Dict[str, float]

    def has(self, plan: GroupPlan) -> bool:
        """Whether a width is known."""
        return (plan.name, plan.removed) in self.changes

    def change(self, plan: GroupPlan) -> float:
        """Of a width that is known."""
        return self.changes[plan.name, plan.removed]

    def missing(self, plans: Sequence[GroupPlan], later: bool) -> List[_Step]:
        """What is to be measured of a group; later layers at its middle width."""
        found = [_Step(plan) for plan in plans if not self.has(plan)]
        if later and plans and plans[0].name not in self.left:
            found.append(_Step(plans[len(plans) // 2], True))
        return found


def _known(empty: WidthTable, path: Optional[files.Path]) -> _Found:
    """What a file has of a table.

    Raises:
      PlanError: if it is of something else.
    """
    if path is None or not os.path.lexists(path):
        return _Found({}, {})
    table = width_files.load(path)
    for what in ('model', 'samples', 'seed'):
        if getattr(table, what) != getattr(empty, what):
            other = {'samples': 'other samples'}.get(what, f'another {what}')
            raise PlanError(
                f'Table of widths {os.fspath(path)!r} was measured with {other}. '
                'Remove it, or write to another folder.'
            )
    changes = {
        (group.name, entry.removed): entry.change
        for group in table.groups
        for entry in group.entries
    }
    left = {g.name: g.left for g in table.groups if g.left is not None}
    return _Found(changes, left)


def _plans(group: Group, scorer: Scorer, options: TableOptions) -> Iterator[GroupPlan]:
    """A group at each of its widths, from the widest to the narrowest."""
    limits, width = options.limits, group.width
    wanted = [plan_lib.wanted_share(share, width) for share in options.shares]
    counts = {limits.removable(width, each) for each in (*wanted, limits.most(width))}
    for count in sorted(counts - {0}):
        yield groupwise.take(scorer(group, width - count), count, limits)


def _table(
    empty: WidthTable,
    wanted: Sequence[Tuple[Group, Sequence[GroupPlan]]],
    found: _Found,
    options: TableOptions,
) -> WidthTable:
    """The table of all that is known of the widths that are wanted."""
    measured = tuple(
        GroupWidths(
            group.name,
            group.width,
            tuple(
                Width(plan.removed, found.change(plan))
                for plan in plans
                if found.has(plan)
            ),
            found.left.get(group.name) if options.repairs_later else None,
        )
        for group, plans in wanted
    )
    return dataclasses.replace(empty, groups=measured)


class _Work:
    """Measures widths; what that needs is made once there is one to measure."""

    def __init__(
        self,
        model: Model,
        groups: Sequence[Group],
        samples: TableSamples,
        options: TableOptions,
        total: int,
        progress: Optional[Callable[[TableProgress], None]],
    ):
        self._model, self._groups, self._samples = model, groups, samples
        self._options, self._total, self._progress = options, total, progress
        self._carriers = carriers_lib.carriers_of(model.trace, model.arrays())
        self._arrays = repairing.weights_of(model, self._carriers)
        self._trials: Optional[WidthTrials] = None
        self._done, self._started = 0, 0.0

    def close(self) -> None:
        """Frees what it took."""
        if self._trials is not None:
            self._trials.close()

    def measure(self, group: Group, steps: Sequence[_Step], found: _Found) -> None:
        """Adds what steps find of a group."""
        trials = self._begun()
        keys = {place.variable for place in group.places if not place.is_kept}
        trials.start(group.channels, self._with_carried(self._nodes(keys)))
        for plan, is_later in steps:
            if is_later:
                found.left[plan.name] = self._left(group, plan, found.change(plan))
            else:
                gone = np.zeros(self._model.trace.count, bool)
                gone[group.channels[list(plan.removed)]] = True
                change = trials.change(gone, self._pruned(group, plan))
                found.changes[plan.name, plan.removed] = change
            self._tick()

    def _left(self, group: Group, planned: GroupPlan, change: float) -> float:
        """Which share of a change is left once all later layers are repaired, too."""
        options, (fit, held_out, judged) = self._options, self._samples
        plan = plan_of(self._model, [group], [planned], options.limits.multiple)
        repaired = repairing.repair_model(
            self._model, plan, fit, held_out, options.repair, limits=options.runs
        )
        reference, other = map(repairing.frozen_of, (self._model, repaired.model))
        *_, found = comparing.changes(
            self._model.graph, reference, [other], judged, options.runs
        )
        return min(1.0, found.change.worst / change) if change else 1.0

    def _begun(self) -> WidthTrials:
        if self._trials is None:
            self._trials = WidthTrials(
                self._model.trace,
                repairing.repeatable(self._model),
                self._arrays,
                self._carriers,
                np.concatenate([group.channels for group in self._groups]),
                *self._samples,
                self._options.repair,
                self._options.runs,
            )
            self._started = time.monotonic()
        return self._trials

    def _tick(self) -> None:
        self._done += 1
        if self._progress is not None:
            each = (time.monotonic() - self._started) / self._done
            left = self._total - self._done
            self._progress(TableProgress(self._done, self._total, left * each))

    def _nodes(self, keys: Collection[str]) -> Dict[str, str]:
        """Weight node -> checkpoint key, of some keys."""
        found = self._model.trace.keys().items()
        return {node: key for node, key in found if key in keys}

    def _with_carried(self, nodes: Collection[str]) -> List[str]:
        """Weights, and the kernels that some of them carry."""
        carried = [
            name
            for name, carriers in self._carriers.items()
            if any(variable in nodes for variable in carriers.variables)
        ]
        return [*nodes, *carried]

    def _pruned(self, group: Group, planned: GroupPlan) -> Dict[str, np.ndarray]:
        """Weight node -> array with zeros at the cuts of a group."""
        plan = plan_of(self._model, [group], [planned], self._options.limits.multiple)
        cuts = plan_lib.by_variable(plan.zeroed_cuts)
        nodes = self._nodes(cuts)
        zeroed = {
            node: soft.with_zeros(self._arrays[node], cuts[key])
            for node, key in nodes.items()
        }
        carried = {
            name: computed.value(self._model.trace, name, {**self._arrays, **zeroed})
            for name in self._with_carried(nodes)
            if name in self._carriers
        }
        return {**zeroed, **carried}
