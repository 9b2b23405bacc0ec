"""The section of docs/results.md on fine-tuning from repaired weights."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from benchmarks import results_page, seed_spread
from benchmarks.resumable import Found
from tf1pruning.report import text

# Shares of the MACs that go, and learning rates, the first of which is shown alone.
LEVELS = (0.3, 0.5, 0.7)
RATES = (0.01, 0.003, 0.03)
BASELINE, ZEROS, REPAIRED = 'baseline', 'zeros', 'repaired'
STARTS = (ZEROS, REPAIRED)
# What each seed found, by piece.
Seeds = Sequence[Mapping[str, Found]]

INTRODUCTION = """## CIFAR-10: fine-tuning from repaired weights

`python -m benchmarks.cifar_tuning --data_dir path/of/cifar10`, {count} seeds from 0 on,
{minutes:.0f} minutes (the times of all parts added up) on {machine}.

The network and its training are those of *accuracy against MACs*, on {trained_on:,} of
the training images, in {epochs:g} epochs; {whole} % of the 10,000 test images are then
right. Channels go by `{by}`, of every group the same share, so that {macs_left} of the
MACs are left. *zeros*: what is left keeps its weights. *repaired*: it is repaired on
{samples:,} images without labels. Both are stripped and fine-tuned with labels, for
{tune_epochs:g} epoch of the same images in the same order, momentum with cosine decay.
The best of the rates {rates} is chosen for each seed on {held_out:,} images that
nothing was trained on.

Figures are means over the seeds, with the standard deviation in brackets. *Clearly*
says that two means of a level differ by more than {times} times its typical standard
deviation, the root mean square of those of all rows with training: {typical} points.
"""
SUMMARY = """
- At the rate {first:g}, from repaired weights is clearly better than from zeros at
  {first_above} of {levels} levels, and clearly worse at {first_below}.
- At the best of {rates} rates, it is clearly better at {best_above}, and clearly worse
  at {best_below}.
"""


def key(start: str, level: float, rate: float = 0.0) -> str:
    """Name of the piece of a start, before its training or at a rate."""
    return f'{start} {level:g}' + (f' {rate:g}' if rate else '')


def section(facts: Mapping[str, Any], seeds: Seeds) -> str:
    """Markdown of all that was measured.

    Args:
      facts: what the introduction says.
      seeds: what each seed found.
    """
    spread = [100 * _typical(seeds, level) for level in LEVELS]
    introduction = INTRODUCTION.format(
        machine=results_page.machine(),
        whole=seed_spread.percents(seed_spread.values(seeds, BASELINE)),
        macs_left=', '.join(
            f'{seeds[0][key(ZEROS, level)]["macs_left"]:.0%}' for level in LEVELS
        ),
        rates=', '.join(f'{rate:g}' for rate in sorted(RATES)),
        times=seed_spread.TIMES,
        count=len(seeds),
        typical=', '.join(f'{each:.2f}' for each in spread),
        **facts,
    )
    table = text.markdown_table(
        ['accuracy, %', *(f'{level:.0%} off' for level in LEVELS)], _rows(seeds)
    )
    summary = SUMMARY.format(
        first=RATES[0], levels=len(LEVELS), rates=len(RATES), **_counts(seeds)
    )
    return '\n\n'.join(part.strip() for part in (introduction, table, summary))


def _rows(seeds: Seeds) -> List[List[str]]:
    labels = {
        'no training': _untrained,
        f'rate {RATES[0]:g}': _at_first,
        'best rate': best,
    }
    return [
        [
            f'{start}, {label}',
            *(seed_spread.percents(figures(seeds, start, at)) for at in LEVELS),
        ]
        for label, figures in labels.items()
        for start in STARTS
    ]


def _untrained(seeds: Seeds, start: str, level: float) -> np.ndarray:
    return seed_spread.values(seeds, key(start, level))


def _at_first(seeds: Seeds, start: str, level: float) -> np.ndarray:
    return seed_spread.values(seeds, key(start, level, RATES[0]))


def best(seeds: Seeds, start: str, level: float) -> np.ndarray:
    """`[seeds]` test accuracies at the rate that each seed chooses."""
    pieces = [[found[key(start, level, rate)] for rate in RATES] for found in seeds]
    chosen = [max(each, key=lambda piece: piece['held_out']) for each in pieces]
    return np.array([piece['accuracy'] for piece in chosen])


def _typical(seeds: Seeds, level: float) -> float:
    return seed_spread.typical(
        figures(seeds, start, level)
        for figures in (_at_first, best)
        for start in STARTS
    )


def _counts(seeds: Seeds) -> Dict[str, int]:
    """At how many levels one start is clearly above the other."""

    def above(figures: Any, one: str, other: str) -> int:
        return sum(
            seed_spread.is_above(
                figures(seeds, one, at), figures(seeds, other, at), _typical(seeds, at)
            )
            for at in LEVELS
        )

    return {
        'first_above': above(_at_first, REPAIRED, ZEROS),
        'first_below': above(_at_first, ZEROS, REPAIRED),
        'best_above': above(best, REPAIRED, ZEROS),
        'best_below': above(best, ZEROS, REPAIRED),
    }
