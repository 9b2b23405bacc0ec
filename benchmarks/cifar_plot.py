"""The plot of the section of docs/results.md on CIFAR-10."""

from __future__ import annotations

from typing import Any, Mapping

from benchmarks import cifar_page, seed_spread
from benchmarks.cifar_page import (
    BASELINE,
    CRITERIA,
    LEVELS,
    SCHEDULE_LABELS,
    SCRATCH_LONG,
    SCRATCH_SHORT,
    Seeds,
)
from tf1pruning.report import plots

_SCRATCH = {SCRATCH_SHORT: ':', SCRATCH_LONG: '--'}
# Between curves at a level, in % of the MACs: else their bars hide each other.
_GAP = 0.5


def plot(facts: Mapping[str, Any], seeds: Seeds) -> bytes:
    """A PNG file: curves of criteria and schedules, with standard deviations.

    Args:
      facts: as for `cifar_page.section`.
      seeds: what each seed found.
    """
    figure, both = plots.pyplot().subplots(
        1, 2, figsize=(11, 4.5), sharey=True, constrained_layout=True
    )
    criteria = {kind: kind for kind in CRITERIA}
    titles = ('criteria, at once', f'schedules, by {cifar_page.BY}')
    for axes, title, labels in zip(both, titles, (criteria, SCHEDULE_LABELS)):
        _curves(axes, seeds, labels)
        for kind, label in cifar_page.scratch_labels(facts).items():
            style = {'color': 'black', 'linestyle': _SCRATCH[kind]}
            _bars(axes, _points(seeds, kind, 0.0), label=label, **style)
        axes.set_title(title)
        axes.set_xlabel('MACs, % of the unpruned network')
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc='lower right')
    both[0].set_ylabel('test accuracy, %')
    return plots.png(figure)


def _curves(axes: Any, seeds: Seeds, labels: Mapping[str, str]) -> None:
    whole = seed_spread.values(seeds, BASELINE)
    for number, (kind, label) in enumerate(labels.items()):
        shift = _GAP * (number - (len(labels) - 1) / 2)
        points = [(100.0, whole), *_points(seeds, kind, shift)]
        _bars(axes, points, label=label)


def _points(seeds: Seeds, kind: str, shift: float) -> Any:
    """(% of the MACs, accuracies) at each level; all kinds have the same widths."""
    widths = (cifar_page.key(CRITERIA[0], level) for level in LEVELS)
    return [
        (
            100 * seeds[0][piece]['macs_left'] + shift,
            cifar_page.accuracies(seeds, kind, level),
        )
        for piece, level in zip(widths, LEVELS)
    ]


def _bars(axes: Any, points: Any, **style: Any) -> None:
    places, figures = zip(*points)
    means = [100 * each.mean() for each in figures]
    deviations = [100 * seed_spread.deviation(each) for each in figures]
    style = {'marker': '.', 'capsize': 2, 'linewidth': 1, **style}
    axes.errorbar(places, means, deviations, **style)
