"""Which channels go: those that are provably safe, and those that the user insists on.

Channels that should go and are not safe stay, with the reason. At least one channel of
every group stays: a convolution without channels kills the TensorFlow process.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning import typed
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.errors import OptionError
from tf1pruning.plan import Plan
from tf1pruning.surgery import computed, near_zero
from tf1pruning.surgery import safety as safety_lib
from tf1pruning.surgery.safety import Safety


@typed.checked
@dataclasses.dataclass(frozen=True)
class RemovalOptions:
    """What may go.

    Attributes:
      multiple: without a plan, kept widths are multiples of it.
      tolerance: weights up to this share of their layer's largest count as zero.
      allow_lossy: planned channels go although they are not zero.

    Raises:
      OptionError: if a value lies outside its range.
    """

    multiple: int = 1
    tolerance: float = 0.0
    allow_lossy: bool = False

    def __post_init__(self) -> None:
        plan_lib.check_multiple(self.multiple)
        if not 0 <= self.tolerance < 1:
            raise OptionError(
                f'The tolerance is {self.tolerance}; expected a share, from 0 to below '
                '1, of the largest weight of a layer.'
            )


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Channels of a group, and what was found about them.

    Attributes:
      group: name of the group.
      channels: the channels.
      reason: why they stay, or why removing them changes the outputs.
    """

    group: str
    channels: Tuple[int, ...]
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Removal:
    """The channels that go.

    Attributes:
      removed: each group of the plan with its sorted channels that go.
      wanted: group name -> number of channels that should go.
      kept: channels that should go and stay.
      lossy: channels that go although that changes the outputs.
      exact: judgment of the model as it is.
      loose: judgment with the tolerance; `exact` if there is none.
      computed: node of a weight that is computed of variables -> its array.
    """

    removed: Tuple[Tuple[Group, Tuple[int, ...]], ...]
    wanted: Dict[str, int]
    kept: Tuple[Verdict, ...]
    lossy: Tuple[Verdict, ...]
    exact: Safety
    loose: Safety
    computed: Mapping[str, np.ndarray]


def choose(
    trace: Trace,
    groups: Sequence[Group],
    arrays: Mapping[str, np.ndarray],
    plan: Optional[Plan],
    options: RemovalOptions,
) -> Removal:
    """Chooses channels.

    Args:
      trace: of the model.
      groups: of the trace.
      arrays: variable node -> array.
      plan: what is to go; None: every channel that is provably redundant.
      options: what may go.

    Raises:
      PlanError: if the plan was made for another model.
      OptionError: if lossy removal is allowed and no plan says of what.
      VerificationError: if a weight that is computed of variables cannot be.
    """
    if options.allow_lossy and plan is None:
        raise OptionError(
            'Lossy removal needs a plan that says which channels go; none was given.'
        )
    found = computed.values(trace, arrays)
    known = collections.ChainMap({**found}, {**arrays}) if found else arrays
    exact = safety_lib.find_safety(trace, known)
    loose = exact
    if options.tolerance or options.allow_lossy:
        small = near_zero.flushed(trace, known, options.tolerance)
        loose = safety_lib.find_safety(trace, small, options.allow_lossy)
    wanted = _wanted(trace, groups, plan, loose)
    multiple = plan.channel_multiple if plan else options.multiple
    obstacles = {} if options.allow_lossy else loose.obstacles
    removed: List[Tuple[Group, Tuple[int, ...]]] = []
    kept: List[Verdict] = []
    lossy: List[Verdict] = []
    for group in groups:
        if not group.frozen and group.name in wanted:
            channels = wanted[group.name]
            goes, held = _split(group, channels, exact, obstacles, multiple)
            removed.append((group, tuple(sorted(goes))))
            kept += _verdicts(group, channels, obstacles) + held
            lossy += _verdicts(group, sorted(goes), exact.obstacles)
    counts = {name: len(channels) for name, channels in wanted.items()}
    return Removal(
        tuple(removed), counts, tuple(kept), tuple(lossy), exact, loose, found
    )


def _wanted(
    trace: Trace, groups: Sequence[Group], plan: Optional[Plan], safety: Safety
) -> Dict[str, Tuple[int, ...]]:
    """Group -> channels that should go: the planned ones, else all redundant ones."""
    if plan is None:
        return {g.name: _redundant(g, safety) for g in groups if not g.frozen}
    plan_lib.check_fits(plan, groups, trace.model)
    return {planned.name: planned.removed for planned in plan.groups}


def _redundant(group: Group, safety: Safety) -> Tuple[int, ...]:
    """Safe channels, and those that would be safe if their constant could be folded."""
    return tuple(
        index
        for index, channel in enumerate(group.channels.tolist())
        if channel not in safety.obstacles or channel in safety.constant
    )


def _split(
    group: Group,
    channels: Sequence[int],
    exact: Safety,
    obstacles: Mapping[int, str],
    multiple: int,
) -> Tuple[Tuple[int, ...], List[Verdict]]:
    """Channels that go, and those that the rounding of the kept width holds back."""
    traced = group.channels.tolist()
    free = [c for c in channels if traced[c] not in obstacles]
    # Exactly removable channels go first.
    free.sort(key=lambda c: (traced[c] in exact.obstacles, c))
    count = plan_lib.removable(group.width, len(free), multiple)
    if not free[count:]:
        return tuple(free), []
    reason = f'kept width is a multiple of {multiple}, and at least that'
    held = Verdict(group.name, tuple(sorted(free[count:])), reason)
    return tuple(free[:count]), [held]


def _verdicts(
    group: Group, channels: Sequence[int], reasons: Mapping[int, str]
) -> List[Verdict]:
    by_reason: Dict[str, List[int]] = {}
    for index in channels:
        channel = int(group.channels[index])
        if channel in reasons:
            by_reason.setdefault(reasons[channel], []).append(index)
    return [Verdict(group.name, tuple(c), reason) for reason, c in by_reason.items()]
