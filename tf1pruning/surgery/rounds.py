"""Several rounds of pruning as one plan for the network of the first."""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Sequence, Tuple

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.errors import PlanError
from tf1pruning.plan import GroupPlan, Plan


def compose(first: Plan, second: Plan, groups: Sequence[Group]) -> Plan:
    """One plan that removes what two do, one after the other.

    Args:
      first: for the network with `groups`; what was really stripped.
      second: for the network that stripping by `first` left.
      groups: of the network before both.

    Returns:
      A plan with the fingerprint, groups and mode of the first.

    Raises:
      PlanError: names every group that does not follow from the first plan.
    """
    known = {group.name: group for group in groups}
    before = {planned.name: planned for planned in first.groups}
    _check(before, second, known)
    removed = {name: planned.removed for name, planned in before.items()}
    for planned in second.groups:
        removed[planned.name] += _original(before[planned.name], planned.removed)
    merged = tuple(
        plan_lib.plan_group(known[name], channels, len(channels))
        for name, channels in removed.items()
    )
    return dataclasses.replace(
        first, groups=merged, channel_multiple=second.channel_multiple, threshold=None
    )


def _check(before: Dict[str, GroupPlan], second: Plan, known: Dict[str, Group]) -> None:
    missing = [name for name in before if name not in known]
    missing += [planned.name for planned in second.groups if planned.name not in before]
    if missing:
        raise PlanError(
            f'The plans do not follow each other: {names.quoted(missing)} is not a '
            'group of the network and of both plans. Plan the same groups in each '
            'round.'
        )
    wrong = [
        f'{planned.name!r} has {planned.width} channels in the second plan and '
        f'{before[planned.name].kept_count} after the first'
        for planned in second.groups
        if planned.width != before[planned.name].kept_count
    ]
    if wrong:
        raise PlanError(f'The plans do not follow each other: {"; ".join(wrong)}.')


def _original(planned: GroupPlan, channels: Sequence[int]) -> Tuple[int, ...]:
    """Channels of the stripped group as they were counted before."""
    gone = set(planned.removed)
    kept: List[int] = [c for c in range(planned.width) if c not in gone]
    return tuple(kept[channel] for channel in channels)
