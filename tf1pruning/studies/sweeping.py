"""Sweeps over ratios: weight and unit pruning of one model at each ratio.

As in github.com/justincosentino/network-pruning: nothing is trained in between.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Callable, Collection, List, Optional, Sequence

import numpy as np

from tf1pruning.channels.groups import Group
from tf1pruning.choosing.scores import Scorer
from tf1pruning.errors import OptionError
from tf1pruning.report import summaries
from tf1pruning.studies.animation import Frame
from tf1pruning.studies.evaluation import Outcome
from tf1pruning.studies.probing import Means, Probe

COLUMNS = ('Sparsity', 'Acc (weight)', 'Acc (unit)', 'Loss (weight)', 'Loss (unit)')


@dataclasses.dataclass(frozen=True)
class Point:
    """Both kinds of pruning at one ratio.

    Attributes:
      ratio: share of the weights of each kernel, or of the units of each group, that
        goes.
      weight: with the smallest weights at zero.
      unit: with whole units at zero.
    """

    ratio: float
    weight: Outcome
    unit: Outcome


def check_ratios(ratios: Sequence[float]) -> None:
    """Raises OptionError unless all ratios lie in [0, 1) and ascend."""
    wrong = [f'{ratio:g}' for ratio in ratios if not 0 <= ratio < 1]
    if wrong or not ratios:
        problem = f'Ratios out of range: {", ".join(wrong)}' if wrong else 'No ratios'
        raise OptionError(f'{problem}; expected numbers from 0 to below 1.')
    if any(a >= b for a, b in zip(ratios, ratios[1:])):
        raise OptionError(
            f'The ratios are {", ".join(f"{s:g}" for s in ratios)}; expected each to '
            'be larger than the one before.'
        )


def sweep(
    probe: Probe,
    groups: Collection[Group],
    ratios: Sequence[float],
    scorer: Scorer,
    means: Optional[Means] = None,
    progress: Optional[Callable[[Point], None]] = None,
) -> List[Point]:
    """Measures both kinds of pruning at each ratio.

    Args:
      probe: the model on its data.
      groups: whose units go, and from whose kernels weights go.
      ratios: ascending, each in [0, 1).
      scorer: which units go first.
      means: see `Probe.pruned`.
      progress: called after each point.

    Raises:
      OptionError: on other ratios.
      DataError: if the data does not fit the model.
    """
    check_ratios(ratios)
    kernels = probe.kernels(groups)
    points = []
    for ratio in ratios:
        weight = probe.thinned(kernels, ratio)
        unit = probe.pruned(probe.plan(groups, ratio, scorer), means)
        points.append(Point(ratio, weight, unit))
        if progress:
            progress(points[-1])
    return points


def weight_frames(
    probe: Probe, groups: Collection[Group], ratios: Sequence[float]
) -> List[Frame]:
    """Magnitudes of the weights of each kernel at each ratio."""
    kernels = probe.kernels(groups)
    return [
        (
            f'Weights, {ratio:.1%} pruned',
            {name: np.abs(a) for name, a in probe.thin(kernels, ratio).items()},
        )
        for ratio in ratios
    ]


def unit_frames(
    probe: Probe, groups: Collection[Group], ratios: Sequence[float], scorer: Scorer
) -> List[Frame]:
    """L2 norms of the units of each group at each ratio."""
    frames: List[Frame] = []
    whole = summaries.filter_norms(groups, probe.model.variables)
    for ratio in ratios:
        norms = {name: found.copy() for name, found in whole.items()}
        for planned in probe.plan(groups, ratio, scorer).groups:
            norms[planned.name][list(planned.removed)] = 0
        frames.append((f'Units, {ratio:.1%} pruned', norms))
    return frames


def as_csv(points: Sequence[Point]) -> str:
    """The text of `results.csv`, with four decimals."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(COLUMNS)
    for point in points:
        weight, unit = point.weight, point.unit
        values = (point.ratio, weight.accuracy, unit.accuracy, weight.loss, unit.loss)
        writer.writerow('' if v is None else f'{v:.4f}' for v in values)
    return buffer.getvalue()
