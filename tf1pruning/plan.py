"""Plans: which channels of which groups go, and the cuts that follow.

A plan is a value. Soft pruning, the failure rate and stripping are functions of it. It
is saved as JSON (`plan_json`) and carries a fingerprint of what it was made for.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import itertools
import json
import math
from typing import (
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np

from tf1pruning import names
from tf1pruning.channels.groups import Group, Place
from tf1pruning.channels.trace_result import PRODUCER, ROLES, STATISTIC
from tf1pruning.errors import OptionError, PlanError
from tf1pruning.graph.inference_graph import InferenceGraph

BLOCK = 'block'
FILTER = 'filter'
MODES = (BLOCK, FILTER)
# What sums and products of shares may be wrong by: 0.29 * 100 is 28.999...
ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Cut:
    """Positions on one axis of one variable.

    Attributes:
      variable: checkpoint key.
      axis: axis of the variable.
      size: length of that axis before stripping.
      role: what the axis does, see `channels.trace_result.Use`.
      entries: positions on the axis of each removed channel.

    Raises:
      PlanError: if axis, role or a position cannot be right.
    """

    variable: str
    axis: int
    size: int
    role: str
    entries: Tuple[Tuple[int, ...], ...]

    def __post_init__(self) -> None:
        flat = list(itertools.chain.from_iterable(self.entries))
        if not all(self.entries):
            raise PlanError(f'Cut of {self.variable!r} has a channel without position.')
        if self.axis < 0 or min(flat, default=0) < 0:
            raise PlanError(
                f'Cut of {self.variable!r} has a negative axis or position.'
            )
        if max(flat, default=-1) >= self.size:
            raise PlanError(
                f'Cut of {self.variable!r} has position {max(flat)} on an axis of '
                f'{self.size}.'
            )
        if len(set(flat)) != len(flat):
            raise PlanError(f'Cut of {self.variable!r} names a position twice.')
        if self.role not in ROLES:
            raise PlanError(f'Cut of {self.variable!r} has unknown role {self.role!r}.')

    @property
    def indices(self) -> Tuple[int, ...]:
        """Sorted distinct positions."""
        return tuple(sorted(itertools.chain.from_iterable(self.entries)))


@dataclasses.dataclass(frozen=True)
class GroupPlan:
    """What goes of one group.

    Attributes:
      name: name of the group.
      kind: kind of the group.
      width: number of its channels.
      removed: sorted channels to remove, counted along the first producer's axis.
      wanted: how many channels the criterion named, before rounding and the cap.
      capped: whether the limits of a choice (smallest width, largest share, multiple)
        held some of them back; rounding alone does not count.
      cuts: one per place of the group; none if nothing is removed.

    Raises:
      PlanError: if the channels do not fit the width or the cuts, or none would stay.
    """

    name: str
    kind: str
    width: int
    removed: Tuple[int, ...]
    wanted: int
    capped: bool
    cuts: Tuple[Cut, ...] = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        if list(self.removed) != sorted(set(self.removed)):
            raise PlanError(
                f'Group {self.name!r} removes channels {list(self.removed)}; expected '
                'each once, in ascending order.'
            )
        unknown = [c for c in self.removed if not 0 <= c < self.width]
        if unknown:
            raise PlanError(f'Group {self.name!r} has no channel {unknown[0]}.')
        if self.width and len(self.removed) >= self.width:
            raise PlanError(f'Group {self.name!r} would lose all its channels.')
        if any(len(cut.entries) != len(self.removed) for cut in self.cuts):
            raise PlanError(
                f'Group {self.name!r} removes {len(self.removed)} channels and has '
                'cuts for another number.'
            )

    @property
    def kept_count(self) -> int:
        """Number of channels that stay."""
        return self.width - len(self.removed)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Groups and their cuts.

    Attributes:
      fingerprint: of the planned groups, see `fingerprint`.
      mode: 'block' (zero every place but statistics) or 'filter' (producers only).
      channel_multiple: what is left of a group that is cut is a multiple of it.
      threshold: score above which a channel was named; None if chosen otherwise.
      groups: in graph order.

    Raises:
      OptionError: on an unknown mode or a multiple below 1.
      PlanError: if the threshold is no number, or two groups have the same name.
    """

    fingerprint: str
    mode: str
    channel_multiple: int
    threshold: Optional[float]
    groups: Tuple[GroupPlan, ...]

    def __post_init__(self) -> None:
        check_mode(self.mode)
        check_multiple(self.channel_multiple)
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise PlanError(f'Plan has threshold {self.threshold}; expected a number.')
        counts = collections.Counter(group.name for group in self.groups)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise PlanError(f'Plan has two groups named {names.quoted(twice)}.')

    @property
    def cuts(self) -> Tuple[Cut, ...]:
        """All cuts."""
        return tuple(cut for group in self.groups for cut in group.cuts)

    @property
    def zeroed_cuts(self) -> Tuple[Cut, ...]:
        """The cuts at which soft pruning writes zeros in the plan's mode."""
        if self.mode == FILTER:
            return tuple(cut for cut in self.cuts if cut.role == PRODUCER)
        return tuple(cut for cut in self.cuts if cut.role != STATISTIC)

    @property
    def removed_count(self) -> int:
        """Number of channels that go."""
        return sum(len(group.removed) for group in self.groups)

    @property
    def kept_count(self) -> int:
        """Number of channels that stay, in the groups of the plan."""
        return sum(group.kept_count for group in self.groups)

    @property
    def channel_count(self) -> int:
        """Number of channels of the groups of the plan."""
        return self.removed_count + self.kept_count

    def widths(self) -> Dict[str, int]:
        """Group name -> number of channels that stay."""
        return {group.name: group.kept_count for group in self.groups}

    def layer_widths(self, shapes: Mapping[str, Tuple[int, ...]]) -> Dict[str, int]:
        """Width after stripping of each layer that loses channels.

        For one's own model code: built with these widths, the network fits the stripped
        checkpoint by name. A layer that is not in the result keeps its width.

        Args:
          shapes: variable -> shape, before stripping (`Checkpoint.shapes`).

        Returns:
          Scope of the layer's kernel -> channels that the layer makes; the name of the
          kernel instead, where several kernels lie in one scope.

        Raises:
          PlanError: names every layer that `shapes` lacks.
        """
        gone: Dict[Tuple[str, int], Set[int]] = {}
        for cut in self.cuts:
            if cut.role == PRODUCER:
                gone.setdefault((cut.variable, cut.axis), set()).update(cut.indices)
        kernels = {name for name, _ in gone}
        missing = sorted(kernels.difference(shapes))
        if missing:
            raise PlanError(
                f'No shapes are given for {names.quoted(missing)}. '
                f'{names.did_you_mean(missing[0], shapes)} Give those of the network '
                'that the plan was made for.'
            )
        scopes = collections.Counter(map(names.parent_scope, kernels))
        widths = {}
        for (name, axis), removed in gone.items():
            scope = names.parent_scope(name)
            layer = scope if scope and scopes[scope] == 1 else name
            widths[layer] = shapes[name][axis] - len(removed)
        return widths


def check_mode(mode: str) -> None:
    """Refuses an unknown mode.

    Raises:
      OptionError: unless it is 'block' or 'filter'.
    """
    if mode not in MODES:
        raise OptionError(f'Mode is {mode!r}; expected one of {names.quoted(MODES)}.')


def check_threshold(value: float) -> float:
    """Returns a threshold in (0, 1).

    Raises:
      OptionError: if it does not, or is no number.
    """
    is_number = isinstance(value, (int, float, np.number))
    if isinstance(value, bool) or not is_number or not 0 < value < 1:
        raise OptionError(f'Threshold is {value!r}; expected a number in (0, 1).')
    return float(value)


def check_multiple(value: int) -> int:
    """Returns a channel multiple of at least 1.

    Raises:
      OptionError: if it is smaller, or no integer.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f'channel_multiple is {value!r}; expected an integer >= 1.')
    return int(value)


def fingerprint(groups: Iterable[Group], model: InferenceGraph) -> str:
    """Names what a plan is about: a digest of its groups and of what makes them.

    Only names, widths and the producers' shapes count, so that the training graph and
    the inference graph of one network have the same fingerprint.
    """
    shapes = {variable.key: variable.full_shape for variable in model.variables}
    lines = [
        [group.name, group.width, place.variable, shapes.get(place.variable, ())]
        for group in groups
        for place in group.places
        if place.role == PRODUCER
    ]
    text = json.dumps(sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def removed_channels(plan: Plan, groups: Iterable[Group], count: int) -> np.ndarray:
    """`[count]` whether each channel of a trace goes.

    Args:
      plan: of the groups.
      groups: of the trace.
      count: number of channels of the trace.
    """
    removed = {planned.name: list(planned.removed) for planned in plan.groups}
    mask = np.zeros(count, bool)
    for group in groups:
        mask[group.channels[removed.get(group.name, [])]] = True
    return mask


def wanted_share(ratio: float, width: int) -> int:
    """How many of `width` channels a ratio means: whole ones, rounded down.

    >>> wanted_share(0.7, 10), wanted_share(0.29, 100)
    (7, 29)
    """
    return math.floor(ratio * width + ROUNDING)


def removable(width: int, wanted: int, multiple: int) -> int:
    """How many of `wanted` channels may go so that the width is a multiple.

    The kept width is rounded up, so no channel goes that was not wanted, and it is
    never less than `multiple`. If it cannot be rounded that way, no channel goes.

    >>> [removable(24, wanted, 4) for wanted in (0, 3, 4, 9, 24)]
    [0, 0, 4, 8, 20]
    """
    kept = max(multiple, -(-(width - wanted) // multiple) * multiple)
    return max(0, width - kept)


def plan_group(
    group: Group, channels: Iterable[int], wanted: int, capped: bool = False
) -> GroupPlan:
    """Plans the removal of given channels of a group.

    Args:
      group: a group that is not frozen.
      channels: to remove, in any order.
      wanted: how many the criterion named, see `GroupPlan`.
      capped: see `GroupPlan`.

    Raises:
      PlanError: if a channel does not exist or is named twice, or none would stay.
    """
    removed = tuple(sorted(int(channel) for channel in channels))
    rows = np.array(removed, int)
    return GroupPlan(
        name=group.name,
        kind=group.kind,
        width=group.width,
        removed=removed,
        wanted=wanted,
        capped=capped,
        cuts=tuple(_cut(place, rows) for place in group.places) if removed else (),
    )


def _cut(place: Place, channels: np.ndarray) -> Cut:
    entries = tuple(zip(*place.positions[channels].T.tolist()))
    role = STATISTIC if place.is_kept else place.role
    return Cut(place.variable, place.axis, place.size, role, entries)


def by_variable(cuts: Iterable[Cut]) -> Dict[str, List[Cut]]:
    """Variable -> its cuts."""
    found: Dict[str, List[Cut]] = {}
    for cut in cuts:
        found.setdefault(cut.variable, []).append(cut)
    return found


def misfits(cuts: Iterable[Cut], shapes: Mapping[str, Tuple[int, ...]]) -> List[str]:
    """Where variables have other sizes than a plan was made for, in words.

    Args:
      cuts: of the plan.
      shapes: variable -> shape; cuts of variables that it lacks do not count.
    """
    return [
        f'axis {cut.axis} of {cut.variable!r} with shape {shapes[cut.variable]}, where '
        f'the plan expects {cut.size}'
        for cut in cuts
        if cut.variable in shapes
        and shapes[cut.variable][cut.axis : cut.axis + 1] != (cut.size,)
    ]


def check_fits(plan: Plan, groups: Sequence[Group], model: InferenceGraph) -> None:
    """Checks that a plan was made for a model with these groups.

    Raises:
      PlanError: names the groups that are gone, or that have other places now.
    """
    known = {group.name: group for group in groups}
    missing = [planned.name for planned in plan.groups if planned.name not in known]
    if missing:
        raise PlanError(
            f'The plan was made for another model: this one has no group '
            f'{names.quoted(missing)}. {names.did_you_mean(missing[0], known)}'
        )
    found = fingerprint([known[planned.name] for planned in plan.groups], model)
    if plan.fingerprint != found:
        raise PlanError(
            f'The plan was made for model {plan.fingerprint} and this is {found}: its '
            'layers have other names or shapes (a stripped network?). Make a new plan.'
        )
    keys = {variable.key for variable in model.variables}
    for planned in plan.groups:
        group = known[planned.name]
        expected = plan_group(group, planned.removed, planned.wanted)
        same_places = _places(planned, keys) == _places(expected, keys)
        if planned.width != group.width or not same_places:
            raise PlanError(
                f'Group {planned.name!r} has other places in the plan than in the '
                'graph. Make a new plan from this graph.'
            )


def _places(
    planned: GroupPlan, keys: Collection[str]
) -> Set[Tuple[str, int, Tuple[int, ...]]]:
    """The cuts of variables that the model has; a training graph may have more."""
    return {
        (cut.variable, cut.axis, cut.indices)
        for cut in planned.cuts
        if cut.variable in keys
    }
