"""The sections of docs/results.md on repair."""

from __future__ import annotations

import textwrap
from typing import List, Mapping, Sequence

import numpy as np

from benchmarks import results_page, seed_spread
from benchmarks.repair_cases import Case, Way
from benchmarks.resumable import Found
from tf1pruning.recovery import distillation
from tf1pruning.report import text

BASELINE = 'baseline'
_WIDTH = 88
# What each seed found, by piece.
Seeds = Sequence[Mapping[str, Found]]

INTRODUCTION = """## {title}

`make results REPAIR=1{folder}`, {seeds}, {minutes:.0f} minutes on {machine}.

{about} It answers {whole} % of the test images right. {gone} What is left is repaired
on {samples:,} images for training, without labels and without a training step. The last
one of the criteria is then distilled, on {lessons:,} such images in batches of {batch}:
{trials} steps that choose the rate, and at most {steps} more. A fifth of the images is
held out each time. The test images are looked at once for each row.

Accuracy in %, mean of the seeds with the standard deviation in brackets. *zeros*: by
`{first}`, without repair.
"""
FOLDERS = {
    'mnist': ' MNIST=path/of/mnist',
    'cifar10': ' CIFAR10=path/of/cifar10',
}
OF_UNITS = 'Of each group of channels the same share goes.'
OF_MACS = (
    'So many channels go that a share of the MACs does: of each group the same share, '
    'or as a table of widths says.'
)


def key(way: Way, level: float) -> str:
    """Name of the piece of a way to choose, at a level."""
    return f'{way.label} {level:g}'


def section(case: Case, seeds: Seeds, minutes: float) -> str:
    """Markdown of all that was measured.

    Args:
      case: what was done.
      seeds: what each seed found.
      minutes: of all pieces together.
    """
    whole = seed_spread.values(seeds, BASELINE)
    options = case.distillation
    introduction = INTRODUCTION.format(
        title=case.title,
        folder=FOLDERS.get(case.name, ''),
        seeds=_numbers(case.first_seed, len(seeds)),
        minutes=minutes,
        machine=results_page.machine(),
        about=case.about,
        whole=_percents(whole),
        gone=OF_UNITS if case.of_units else OF_MACS,
        samples=case.samples,
        lessons=case.lessons,
        batch=case.batch,
        trials=trial_count(case),
        steps=options.steps,
        first=case.ways[0].criterion,
    )
    rows = [_row(case, seeds, number, whole) for number in range(len(case.levels))]
    table = text.markdown_table(_header(case), rows)
    return f'{_wrapped(introduction)}\n\n{table}'


def _numbers(first: int, count: int) -> str:
    """Which seeds these are."""
    return f'seed {first}' if count == 1 else f'seeds {first} to {first + count - 1}'


def _wrapped(markdown: str) -> str:
    """Paragraphs in lines of one length."""
    parts = [textwrap.fill(part, _WIDTH) for part in markdown.strip().split('\n\n')]
    return '\n\n'.join(parts)


def trial_count(case: Case) -> int:
    """Steps of the short runs that choose the rate."""
    options = case.distillation
    return len(options.rates) * distillation.trial_steps(options)


def _header(case: Case) -> List[str]:
    ways = [way.label for way in case.ways]
    return ['gone', 'MACs left', 'zeros', *ways, 'goal', 'distilled', 'goal']


def _row(case: Case, seeds: Seeds, number: int, whole: np.ndarray) -> List[str]:
    level, last = case.levels[number], case.ways[-1]
    goals = [
        _goal(case, values[number], whole)
        for values in (case.goals.repaired, case.goals.distilled)
    ]

    def of(way: Way, name: str) -> str:
        return _percents(seed_spread.values(seeds, key(way, level), name))

    macs = seed_spread.values(seeds, key(last, level), 'macs_left').mean()
    return [
        f'{level:.0%}',
        f'{macs:.1%}',
        of(case.ways[0], 'zeros'),
        *(of(way, 'repaired') for way in case.ways),
        goals[0],
        of(last, 'distilled'),
        goals[1],
    ]


def _goal(case: Case, value: float, whole: np.ndarray) -> str:
    found = 100 * float(whole.mean()) - value if case.goals.are_losses else value
    return f'{found:.2f}'


def _percents(figures: np.ndarray) -> str:
    """Their mean, and their deviation if there are several."""
    if len(figures) == 1:
        return f'{100 * figures[0]:.2f}'
    return seed_spread.percents(figures)
