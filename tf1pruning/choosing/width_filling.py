"""Widths between those of a table that were measured."""

from __future__ import annotations

import dataclasses
from typing import Collection

import numpy as np

from tf1pruning.channels.groups import Group
from tf1pruning.choosing import groupwise
from tf1pruning.choosing.choice import Limits
from tf1pruning.choosing.scores import Scorer
from tf1pruning.choosing.width_table import GroupWidths, Width, WidthTable

# The most widths of a group, if fewer were measured.
_MOST = 32


def filled(
    table: WidthTable, groups: Collection[Group], scorer: Scorer, limits: Limits
) -> WidthTable:
    """A table with widths between those that were measured.

    Args:
      table: of what was measured.
      groups: that may be cut; those that are not in the table are left out.
      scorer: ranks their channels.
      limits: of the widths.

    Returns:
      The table of those groups. Changes between two widths lie on a straight line.
    """
    known = {group.name: group for group in table.groups}
    found = (
        _filled(group, known[group.name], scorer, limits)
        for group in groups
        if group.name in known
    )
    return dataclasses.replace(table, groups=tuple(found))


def _filled(
    group: Group, widths: GroupWidths, scorer: Scorer, limits: Limits
) -> GroupWidths:
    measured = {len(entry.removed): entry for entry in widths.entries}
    if not measured:
        return widths
    counts, changes = [0], [0.0]
    for count, entry in measured.items():
        counts.append(count)
        changes.append(entry.change)
    step = max(limits.multiple, group.width // _MOST)
    between = {limits.removable(group.width, n) for n in range(1, counts[-1], step)}
    entries = dict(measured)
    for count in between.difference(measured) - {0}:
        plan = groupwise.take(scorer(group, group.width - count), count, limits)
        change = float(np.interp(count, counts, changes))
        entries[count] = Width(plan.removed, change)
    ordered = tuple(entries[count] for count in sorted(entries))
    return dataclasses.replace(widths, entries=ordered)
