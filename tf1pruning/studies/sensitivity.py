"""Sensitivity: loss and accuracy with a share of one group's channels gone.

One group is pruned at a time, and nothing is trained except a clone, if the probe has
steps. The curves are saved after each point, so that a run that was stopped goes on.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from tf1pruning import files, typed
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.choice import check_ratio
from tf1pruning.choosing.scores import Scorer
from tf1pruning.errors import DataError, OptionError
from tf1pruning.studies.curves import Line
from tf1pruning.studies.evaluation import Outcome
from tf1pruning.studies.probing import Means, Probe

FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Point:
    """One group, pruned.

    Attributes:
      group: its name.
      criterion: which of its channels go first.
      means: whether they leave their means behind, or zeros.
      ratio: share of its channels that goes.
      removed: how many channels that is.
      loss: of the pruned model.
      accuracy: of the pruned model, if that is known.
      loss_change: its loss minus that of the unpruned model.
    """

    group: str
    criterion: str
    means: bool
    ratio: float
    removed: int
    loss: float
    accuracy: Optional[float]
    loss_change: float

    @property
    def key(self) -> Tuple[str, str, bool, float]:
        """What was measured."""
        return self.group, self.criterion, self.means, self.ratio


COLUMNS = tuple(field.name for field in dataclasses.fields(Point))


@dataclasses.dataclass(frozen=True)
class Curves:
    """What a run has found so far.

    Attributes:
      fingerprint: of weights, data, steps, scores and seed.
      unpruned: how good the unpruned model is, after as many steps.
      points: in the order in which they were asked for.
    """

    fingerprint: str
    unpruned: Outcome
    points: Tuple[Point, ...] = ()

    def as_csv(self) -> str:
        """A row per point."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator='\n')
        writer.writerow(COLUMNS)
        for point in self.points:
            values = dataclasses.asdict(point)
            writer.writerow({**values, 'means': int(point.means)}.values())
        return buffer.getvalue()

    def lines(self) -> Dict[str, List[Line]]:
        """Group -> a curve per criterion, from the unpruned model on."""
        return self._lines(
            self.unpruned, lambda point: Outcome(point.loss, point.accuracy)
        )

    def changes(self) -> Dict[str, List[Line]]:
        """The curves of `lines`, with the loss change alone as their loss."""
        return self._lines(
            Outcome(0.0, None), lambda point: Outcome(point.loss_change, None)
        )

    def _lines(
        self, start: Outcome, outcome: Callable[[Point], Outcome]
    ) -> Dict[str, List[Line]]:
        curves: Dict[Tuple[str, str, bool], List[Point]] = {}
        for point in self.points:
            curves.setdefault(point.key[:3], []).append(point)
        found: Dict[str, List[Line]] = {}
        for (group, criterion, means), points in curves.items():
            points.sort(key=lambda point: point.ratio)
            line = Line(
                f'{criterion} (means)' if means else criterion,
                [0.0, *(point.ratio for point in points)],
                [start, *map(outcome, points)],
                kind=criterion,
                dashed=means,
            )
            found.setdefault(group, []).append(line)
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class Question:
    """What to measure: every group at every ratio by every criterion.

    Attributes:
      groups: the groups.
      ratios: shares that go, between 0 and 1.
      scorers: criterion -> scorer.
      means: layer -> means of what it reads: every point is measured with zeros and
        with these means; None: zeros only.

    Raises:
      OptionError: on a ratio out of range, or without ratios or criteria.
    """

    groups: Sequence[Group]
    ratios: Sequence[float]
    scorers: Mapping[str, Scorer]
    means: Optional[Means] = None

    def __post_init__(self) -> None:
        if not self.ratios or not self.scorers:
            raise OptionError('No ratios or no criteria are given; expected some.')
        for ratio in self.ratios:
            check_ratio('A ratio', ratio)

    @property
    def keys(self) -> List[Tuple[str, str, bool, float]]:
        """Every point's key, in order."""
        kinds = (False,) if self.means is None else (False, True)
        return [
            (group.name, criterion, means, ratio)
            for group in self.groups
            for criterion in self.scorers
            for means in kinds
            for ratio in self.ratios
        ]


def measure(
    probe: Probe,
    question: Question,
    known: Curves,
    save: Callable[[Curves], None],
) -> Curves:
    """Measures what is not known yet.

    Args:
      probe: the model on its data.
      question: what to measure.
      known: of an earlier run, or without points.
      save: called after each new point with all that is known.

    Raises:
      OptionError: if a group lacks what a criterion looks at.
      DataError: if scores or means are missing.
    """
    groups = {group.name: group for group in question.groups}
    done = {point.key for point in known.points}
    # Scores that are missing are found before the first measurement.
    plans = {
        key: probe.plan([groups[key[0]]], key[3], question.scorers[key[1]])
        for key in question.keys
        if key not in done
    }
    for key, plan in plans.items():
        outcome = probe.pruned(plan, question.means if key[2] else None)
        change = outcome.loss - known.unpruned.loss
        point = Point(*key, plan.removed_count, outcome.loss, outcome.accuracy, change)
        known = dataclasses.replace(known, points=(*known.points, point))
        save(known)
    return known


def save(curves: Curves, path: str) -> None:
    """Writes the curves as JSON, as a whole.

    Raises:
      OutputError: if they cannot be written.
    """
    files.write_json(path, {'format': FORMAT, **dataclasses.asdict(curves)})


def load(path: str, fingerprint: str) -> Optional[Curves]:
    """What an earlier run has found; None if there is no such file.

    Raises:
      DataError: if the file is damaged, or of another model, other data or scores.
    """
    if not os.path.lexists(path):
        return None
    try:
        fields = typed.versioned(files.read_json(path), 'format', FORMAT)
        found = typed.from_json(Curves, fields)
    except (OSError, ValueError) as error:
        raise DataError(
            f'{path!r} holds no sensitivity curves: {files.reason(error)}. Overwrite '
            'it with new measurements, or choose another folder.',
            options=('overwrite',),
        ) from error
    if found.fingerprint != fingerprint:
        raise DataError(
            f'{path!r} is of another model, other data, steps or scores. '
            'Overwrite it with new measurements, or choose another folder.',
            options=('overwrite',),
        )
    return found
