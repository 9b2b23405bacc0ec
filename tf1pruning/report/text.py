"""Reports as text: tables of groups, pruned filters and failure rates."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.surgery.failure import Count, FailureReport


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns under a header; the first is left-aligned, the others right.

    >>> print(table(['name', 'n'], [['a', 1], ['long', 20]]))
    name   n
    ----  --
    a      1
    long  20
    """
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [_line(row, widths) for row in cells]
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
    return '  '.join([first, *rest]).rstrip()


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    cells = [header, ['---'] * len(header), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, row)) + ' |' for row in cells)


GROUP_HEADER = ('group', 'kind', 'channels', 'pruned', 'kept', 'note')


def group_rows(plan: Plan) -> List[List[object]]:
    """One row per group of a plan, for `GROUP_HEADER`."""
    return [
        [g.name, g.kind, g.width, len(g.removed), g.kept_count, _note(g, plan)]
        for g in plan.groups
    ]


def _note(group: GroupPlan, plan: Plan) -> str:
    if group.capped:
        return f'capped: {group.wanted} were chosen'
    if group.wanted and not group.removed:
        multiple = plan.channel_multiple
        return f'{group.wanted} chosen, too few for multiples of {multiple}'
    return ''


def pruned_filters(plan: Plan) -> str:
    """Counts and index lists per group."""
    limit = 'no threshold' if plan.threshold is None else f'threshold {plan.threshold}'
    lines = [
        f'{limit}, mode {plan.mode}, channel multiple {plan.channel_multiple}',
        f'pruned {plan.removed_count} of {plan.channel_count} channels',
    ]
    for group in plan.groups:
        note = _note(group, plan)
        count = f'{len(group.removed)}/{group.width}'
        lines += ['', f'{group.name}: {count}{" (" + note + ")" if note else ""}']
        lines.append(f'  filters {list(group.removed)}')
    return '\n'.join(lines) + '\n'


def failure_summary(report: FailureReport) -> str:
    """Failure rate in total, per group and per variable."""
    per_variable = {
        f'{variable} axis {axis}': count
        for (variable, axis), count in report.variables.items()
    }
    parts = [
        f'failure rate {report.total.rate:.4f}: {report.total.failed} of '
        f'{report.total.planned} planned places are not zero',
        _counts('group', report.groups),
        _counts('variable', per_variable),
    ]
    return '\n\n'.join(parts) + '\n'


def _counts(what: str, counts: Dict[str, Count]) -> str:
    rows = [[n, c.planned, c.failed, f'{c.rate:.4f}'] for n, c in counts.items()]
    return table([what, 'planned', 'not zero', 'rate'], rows)


def failure_json(report: FailureReport) -> Dict[str, object]:
    """A failure report as plain data."""

    def fields(count: Count) -> Dict[str, object]:
        return {'planned': count.planned, 'failed': count.failed, 'rate': count.rate}

    variables: Dict[str, Dict[str, object]] = {}
    for (variable, axis), count in report.variables.items():
        variables.setdefault(variable, {})[f'axis {axis}'] = fields(count)
    return {
        'failure_rate': report.total.rate,
        'planned': report.total.planned,
        'failed': report.total.failed,
        'scopes': {name: fields(count) for name, count in report.groups.items()},
        'variables': variables,
    }


def shortened(value: str, width: int) -> str:
    """Text of at most `width` characters.

    >>> shortened('a long reason', 9)
    'a long...'
    """
    return value if len(value) <= width else value[: width - 3] + '...'


def number(value: Optional[float]) -> str:
    """A count with thousands separators; '?' if it is not known.

    >>> number(1234567), number(None)
    ('1,234,567', '?')
    """
    return '?' if value is None else f'{value:,}'
