"""Stripping: removes channels from graph and arrays; the outputs do not change.

Only channels that are provably safe go (see `safety`). What was planned and is not safe
stays, with the reason. At least one channel of every group stays, always: a convolution
without channels kills the TensorFlow process.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.channels.uses import IndexUse, SizeUse, Trace
from tf1pruning.graph import rewrite
from tf1pruning.graph.model import Model
from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.surgery import safety as safety_lib
from tf1pruning.surgery.safety import Safety


@dataclasses.dataclass(frozen=True)
class Kept:
    """Channels of a group that were to go and stay.

    Attributes:
      group: name of the group.
      channels: the channels.
      reason: why they stay.
    """

    group: str
    channels: Tuple[int, ...]
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Stripped:
    """A network without its redundant channels.

    Attributes:
      model: graph with the new sizes; node names as before, plus constants of sizes.
      arrays: variable node -> array of the new size.
      plan: what was really removed.
      kept: what was to go and stays.
    """

    model: Model
    arrays: Dict[str, np.ndarray]
    plan: Plan
    kept: Tuple[Kept, ...]


def strip(
    trace: Trace,
    groups: Sequence[Group],
    arrays: Mapping[str, np.ndarray],
    plan: Optional[Plan] = None,
    multiple: int = 1,
) -> Stripped:
    """Removes channels.

    Args:
      trace: of the model.
      groups: of the trace.
      arrays: variable node -> array; not changed.
      plan: what to remove; None: every channel that is provably redundant.
      multiple: without a plan, kept widths are multiples of it.

    Raises:
      PlanError: if the plan was made for another model.
    """
    safety = safety_lib.find_safety(trace, arrays)
    multiple = plan.channel_multiple if plan else multiple
    if plan is None:
        wanted = {g.name: _redundant(g, safety) for g in groups if not g.frozen}
    else:
        plan_lib.check_fits(plan, groups, trace.model)
        wanted = {planned.name: planned.removed for planned in plan.groups}
    chosen, kept = _choose(groups, wanted, safety, multiple)
    removed: Set[int] = set()
    for group, channels in chosen:
        removed.update(group.classes[list(channels)].tolist())
    model, new_arrays = _remove(trace, arrays, removed, safety)
    done = Plan(
        fingerprint=plan_lib.fingerprint([group for group, _ in chosen], trace.model),
        mode=plan.mode if plan else plan_lib.BLOCK,
        channel_multiple=multiple,
        threshold=plan.threshold if plan else None,
        groups=_group_plans(chosen, wanted),
    )
    return Stripped(model, new_arrays, done, tuple(kept))


def _redundant(group: Group, safety: Safety) -> Tuple[int, ...]:
    return tuple(
        channel
        for channel, number in enumerate(group.classes.tolist())
        if safety.is_safe(number)
    )


def _choose(
    groups: Sequence[Group],
    wanted: Mapping[str, Sequence[int]],
    safety: Safety,
    multiple: int,
) -> Tuple[List[Tuple[Group, Tuple[int, ...]]], List[Kept]]:
    """Per group the channels that go, and those that stay although they were wanted."""
    chosen: List[Tuple[Group, Tuple[int, ...]]] = []
    kept: List[Kept] = []
    for group in groups:
        if group.frozen or group.name not in wanted:
            continue
        channels = tuple(wanted[group.name])
        numbers = group.classes
        safe = [c for c in channels if safety.is_safe(int(numbers[c]))]
        count = plan_lib.removable(group.width, len(safe), multiple)
        chosen.append((group, tuple(safe[:count])))
        kept += _unsafe(group, channels, safety)
        if safe[count:]:
            reason = f'kept width is a multiple of {multiple}, and at least that'
            kept.append(Kept(group.name, tuple(safe[count:]), reason))
    return chosen, kept


def _unsafe(group: Group, channels: Sequence[int], safety: Safety) -> List[Kept]:
    by_reason: Dict[str, List[int]] = {}
    for channel in channels:
        number = int(group.classes[channel])
        if not safety.is_safe(number):
            by_reason.setdefault(safety.obstacles[number], []).append(channel)
    return [Kept(group.name, tuple(c), reason) for reason, c in by_reason.items()]


def _group_plans(
    chosen: Sequence[Tuple[Group, Tuple[int, ...]]],
    wanted: Mapping[str, Sequence[int]],
) -> Tuple[GroupPlan, ...]:
    return tuple(
        plan_lib.plan_group(group, channels, len(wanted[group.name]))
        for group, channels in chosen
    )


def _remove(
    trace: Trace,
    arrays: Mapping[str, np.ndarray],
    removed: Set[int],
    safety: Safety,
) -> Tuple[Model, Dict[str, np.ndarray]]:
    gone = _mask(trace, removed)
    smaller = _smaller(trace, arrays, gone, _folded(trace, arrays, gone, safety))
    variables = {name: a for name, a in smaller.items() if name in arrays}
    model = rewrite.resize(
        trace.model,
        shapes={name: array.shape for name, array in variables.items()},
        constants={name: a for name, a in smaller.items() if name not in arrays},
        sizes=[_new_size(use, gone) for use in trace.sizes if gone[use.labels].any()],
        replaced=[
            _new_indices(trace, use, gone)
            for use in trace.indices
            if gone[use.labels].any()
        ],
    )
    return model, {**arrays, **variables}


def _smaller(
    trace: Trace,
    arrays: Mapping[str, np.ndarray],
    gone: np.ndarray,
    folded: Mapping[str, np.ndarray],
) -> Dict[str, np.ndarray]:
    """The weights that change, variables and constants, with their new values."""
    changed = {}
    for source, axes in trace.weights.items():
        drops = [np.flatnonzero(gone[axis]) for axis in axes]
        if not any(drop.size for drop in drops) and source not in folded:
            continue
        array = _array(trace, source, folded, arrays)
        for axis, drop in enumerate(drops):
            array = np.delete(array, drop, axis)
        changed[source] = array
    return changed


def _new_size(use: SizeUse, gone: np.ndarray) -> rewrite.NewSize:
    kept = int((~gone[use.labels]).sum())
    return rewrite.NewSize(use.consumer, use.position, use.node, use.element, kept)


def _new_indices(trace: Trace, use: IndexUse, gone: np.ndarray) -> rewrite.NewConstant:
    """Indices counted among the channels that stay."""
    stays = ~gone[use.labels]
    old = rewrite.constant_value(trace.model.view().node(use.node))
    new = (np.cumsum(stays) - 1)[old[stays[old]]]
    return rewrite.NewConstant(use.consumer, use.position, new.astype(old.dtype))


def _mask(trace: Trace, removed: Set[int]) -> np.ndarray:
    """`[classes]` whether a class goes."""
    mask = np.zeros(trace.count, bool)
    mask[sorted(removed)] = True
    return mask


def _array(
    trace: Trace,
    source: str,
    folded: Mapping[str, np.ndarray],
    arrays: Mapping[str, np.ndarray],
) -> np.ndarray:
    """The newest array of a variable or of a constant that acts as a weight."""
    for known in (folded, arrays):
        if source in known:
            return known[source]
    return rewrite.constant_value(trace.model.view().node(source))


def _folded(
    trace: Trace,
    arrays: Mapping[str, np.ndarray],
    gone: np.ndarray,
    safety: Safety,
) -> Dict[str, np.ndarray]:
    """Biases and moving means with the constant shares of the removed channels."""
    folded: Dict[str, np.ndarray] = {}
    for found in safety.folds:
        share = found.shares[gone[found.classes]].sum(axis=0)
        if not share.any():
            continue
        source = found.target.source
        old = _array(trace, source, folded, arrays)
        total = old.astype(np.float64) + found.target.sign * share
        folded[source] = total.astype(old.dtype)
    return folded
