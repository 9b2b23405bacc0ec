"""Measures how much the answers of a model change when its groups get narrower."""

from __future__ import annotations

import dataclasses
import os
from typing import (
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
from tf1pruning.clock import Clock, Listener
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.recovery import comparing
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.recovery.unpruned import Seen
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
      choose: to choose by, how strongly weights are drawn to what they were.
      judged: on which the answers are compared; where weights outnumber samples, others
        than those of `choose`.
    """

    fit: Batches
    choose: Batches
    judged: Batches


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """Which widths are measured, and how.

    Attributes:
      limits: of the widths.
      shares: of a group's channels that go; besides, the most that the limits allow.
      repair: of the readers.
      runs: what they may do.
    """

    limits: Limits = Limits(multiple=4)
    shares: Tuple[float, ...] = EIGHTHS
    repair: RepairOptions = RepairOptions()
    runs: RunLimits = STRICT


def measure(
    model: Model,
    groups: Sequence[Group],
    scorer: Scorer,
    samples: TableSamples,
    options: TableOptions = TableOptions(),
    path: Optional[files.Path] = None,
    progress: Optional[Listener] = None,
) -> WidthTable:
    """Measures the change of the answers at some widths of each group.

    At each width the channels that score highest go, of this group alone, and the
    layers that read it are repaired.

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
    empty, found = _known(empty, path)
    wanted = [(group, list(_plans(group, scorer, options))) for group in groups]
    missing = [[p for p in plans if _key(p) not in found] for _, plans in wanted]
    work = _Work(model, groups, samples, options, sum(map(len, missing)), progress)
    try:
        for group, plans in zip(groups, missing):
            if plans:
                work.measure(group, plans, found)
                if path is not None:
                    width_files.save(_table(empty, wanted, found), path)
    finally:
        work.close()
    return _table(empty, wanted, found)


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


def repaired_change(
    model: Model, plan: Plan, samples: TableSamples, options: TableOptions
) -> float:
    """How much the answers change when a plan is carried out and all is repaired.

    Raises:
      DataError: if the samples do not fit the network, are too few, or all alike.
      GraphError: if the network is not safe to run.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      OutputError: if temporary files cannot be written.
    """
    fit, choose, judged = samples
    repaired = repairing.repair_model(
        model, plan, fit, choose, options.repair, limits=options.runs
    )
    reference, other = (each.frozen() for each in (model, repaired.model))
    *_, found = comparing.changes(model.graph, reference, [other], judged, options.runs)
    return found.change.worst


# Group, removed channels -> change.
_Found = Dict[Tuple[str, Tuple[int, ...]], float]


def _key(plan: GroupPlan) -> Tuple[str, Tuple[int, ...]]:
    return plan.name, plan.removed


def _known(empty: WidthTable, path: Optional[files.Path]) -> Tuple[WidthTable, _Found]:
    """What a file has of a table: the plans that were tried, and the widths.

    Raises:
      PlanError: if it is of something else.
    """
    if path is None or not os.path.lexists(path):
        return empty, {}
    table = width_files.load(path)
    for what in ('model', 'samples', 'seed'):
        if getattr(table, what) != getattr(empty, what):
            other = {'samples': 'other samples'}.get(what, f'another {what}')
            raise PlanError(
                f'Table of widths {os.fspath(path)!r} was measured with {other}. '
                'Remove it, or write to another folder.'
            )
    found = {
        (group.name, entry.removed): entry.change
        for group in table.groups
        for entry in group.entries
    }
    return dataclasses.replace(empty, tried=table.tried), found


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
) -> WidthTable:
    """The table of all that is known of the widths that are wanted."""
    measured = tuple(
        GroupWidths(
            group.name,
            group.width,
            tuple(
                Width(plan.removed, found[_key(plan)])
                for plan in plans
                if _key(plan) in found
            ),
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
        progress: Optional[Listener],
    ):
        self._model, self._groups, self._samples = model, groups, samples
        self._options = options
        self._clock = Clock(progress, 'measuring widths', total)
        self._unpruned = repairing.unpruned_of(model)
        self._carriers, self._arrays = self._unpruned.carriers, self._unpruned.arrays
        self._trials: Optional[WidthTrials] = None

    def close(self) -> None:
        """Frees what it took."""
        if self._trials is not None:
            self._trials.close()

    def measure(self, group: Group, plans: Sequence[GroupPlan], found: _Found) -> None:
        """Adds the changes of a group's widths."""
        trials = self._begun()
        keys = {place.variable for place in group.places if not place.is_kept}
        trials.start(group.channels, self._with_carried(self._nodes(keys)))
        for plan in plans:
            gone = np.zeros(self._model.trace.count, bool)
            gone[group.channels[list(plan.removed)]] = True
            found[_key(plan)] = trials.change(gone, self._pruned(group, plan))
            self._clock.tick()

    def _begun(self) -> WidthTrials:
        if self._trials is None:
            self._trials = WidthTrials(
                self._unpruned,
                np.concatenate([group.channels for group in self._groups]),
                Seen(self._samples.fit, self._samples.choose),
                self._samples.judged,
                self._options.repair,
                self._options.runs,
            )
            self._clock.start()
        return self._trials

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
