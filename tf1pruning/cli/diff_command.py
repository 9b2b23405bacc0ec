"""Compares two checkpoints: names, shapes, values, zeros; the largest first.

  tf1pruning diff before/model.ckpt after/model.ckpt --json diff.json

Prints one line per variable. Largest and relative: largest difference of an element,
and its share of the largest magnitude in either checkpoint. Zeros: share of the
elements. Zero filters: slices of a kernel along its last axis (of a depthwise kernel:
the one before) that are all zero. One variable is read at a time.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Callable, List, Optional

from absl import flags

from tf1pruning import files
from tf1pruning.ckpt import diff
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.report import text
from tf1pruning.steps import protection

FLAGS = flags.FLAGS

flags.DEFINE_string('json', None, 'File to write the same figures to, as JSON.')

ARGUMENTS = ('A', 'B')
HEADER = (
    'variable',
    'state',
    'shape',
    'bytes',
    'largest',
    'relative',
    'zeros',
    'zero filters',
)


def main(first: str, second: str) -> None:
    """Compares checkpoints."""
    if FLAGS.json:
        protection.check_target(FLAGS.json, [first, second])
    found = list(diff.compare(Checkpoint(first), Checkpoint(second)))
    if FLAGS.json:
        rows = [{**dataclasses.asdict(row), 'size': row.size} for row in found]
        files.write_json(FLAGS.json, {'a': first, 'b': second, 'variables': rows})
    print(text.table(HEADER, [_row(row) for row in found]))
    counts = collections.Counter(row.state for row in found)
    print(', '.join(f'{state}: {count}' for state, count in counts.most_common()))


def _row(row: diff.VariableDiff) -> List[str]:
    return [
        row.name,
        row.state,
        _both(row, lambda side: 'x'.join(map(str, side.shape)) or 'scalar'),
        f'{row.size:,}',
        _number(row.largest),
        _number(row.relative),
        _both(row, lambda side: _share(side.sparsity)),
        _both(row, lambda side: _count(side.zero_filters)),
    ]


def _both(row: diff.VariableDiff, show: Callable[[diff.Side], str]) -> str:
    """`A -> B`, or the one value that both have."""
    shown = [show(side) for side in (row.first, row.second) if side]
    return ' -> '.join(dict.fromkeys(shown))


def _number(value: Optional[float]) -> str:
    return '' if value is None else f'{value:.1e}' if value else '0'


def _share(value: Optional[float]) -> str:
    return '' if value is None else f'{value:.3f}'


def _count(value: Optional[int]) -> str:
    return '' if value is None else str(value)
