"""The widths of the groups of a stripped network, before and after."""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Sequence, Tuple

from tf1pruning.channels.groups import Group
from tf1pruning.report import plots, text
from tf1pruning.surgery.stripped import Stripped

_BAR = 20
_REASON = 120


@dataclasses.dataclass(frozen=True)
class GroupWidth:
    """A group before and after.

    Attributes:
      name: of the group.
      kind: of the group.
      before: number of its channels.
      after: number that stayed.
      reason: why planned channels stayed, or why none may go; '' if all planned went.
    """

    name: str
    kind: str
    before: int
    after: int
    reason: str


def widths_of(groups: Sequence[Group], stripped: Stripped) -> Tuple[GroupWidth, ...]:
    """Every group of a model, before and after stripping."""
    after = stripped.plan.widths()
    kept: Dict[str, List[str]] = {}
    for verdict in stripped.kept:
        reason = f'{len(verdict.channels)} kept: {verdict.reason}'
        kept.setdefault(verdict.group, []).append(reason)
    return tuple(
        GroupWidth(
            name=group.name,
            kind=group.kind,
            before=group.width,
            after=after.get(group.name, group.width),
            reason='; '.join(group.reasons or kept.get(group.name, ())),
        )
        for group in groups
    )


def bar(before: int, after: int) -> str:
    """A bar of the channels that stayed; full only if all did.

    >>> bar(100, 50), bar(1000, 999), bar(1000, 1)
    ('##########..........', '###################.', '#...................')
    """
    full = _BAR if after == before else min(_BAR - 1, max(1, _BAR * after // before))
    return '#' * full + '.' * (_BAR - full)


def table(widths: Sequence[GroupWidth]) -> str:
    """The groups as text, one a line."""
    rows = [[w.name, w.kind, w.before, w.after, bar(w.before, w.after)] for w in widths]
    lines = text.table(['group', 'kind', 'before', 'after', 'kept'], rows).split('\n')
    for number, each in enumerate(widths):
        if each.reason:
            lines[number + 2] += f'  {text.shortened(each.reason, _REASON)}'
    return '\n'.join(lines)


def draw(widths: Sequence[GroupWidth]) -> bytes:
    """The bars of kept channels as a PNG file.

    Raises:
      Tf1PruningError: if matplotlib is not installed.
    """
    height = 1.2 + 0.22 * len(widths)
    figure, axes = plots.pyplot().subplots(figsize=(9, height), constrained_layout=True)
    rows = range(len(widths))
    axes.barh(rows, [w.before for w in widths], color=plots.GONE)
    axes.barh(rows, [w.after for w in widths], color=plots.KEPT)
    axes.set_yticks(rows)
    axes.set_yticklabels([w.name for w in widths], fontsize=7)
    for row, each in enumerate(widths):
        label = f' {each.after} of {each.before}'
        axes.text(each.before, row, label, va='center', fontsize=7)
    axes.set_xlim(0, 1.2 * max([w.before for w in widths], default=1))
    axes.invert_yaxis()
    axes.set_title('Kept channels of each group')
    return plots.png(figure)
