"""Examples without labels in them: read again and again, in parts that never meet.

One part fits what is learned from samples, one chooses, and one is only reported: a
figure on examples that took part in a choice flatters.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Iterable, NamedTuple, Optional, Tuple

import numpy as np

from tf1pruning import typed
from tf1pruning.errors import DataError, OptionError
from tf1pruning.notes import Note
from tf1pruning.report import contact_sheet
from tf1pruning.report.contact_sheet import ContactSheet
from tf1pruning.scoring.batches import Batch, Batches

HOLDOUT = 0.2
_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Where examples come from.

    Attributes:
      count: how many there are.
      read: numbers of examples, which grow, and the size of a batch -> batches of them.
      labels: class of each example, `[count]`; None: not known.
      notes: what a user should know of them.
    """

    count: int
    read: Callable[[np.ndarray, int], Iterable[Batch]]
    labels: Optional[np.ndarray] = None
    notes: Tuple[Note, ...] = ()


@typed.checked
@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Examples for all inputs of a network.

    Attributes:
      source: where they come from.
      rows: numbers of those of the source that are meant; they grow.
      batch_size: examples of a batch.
      whole: whether the network takes batches of that size only; then the examples that
        fill no batch are left out.

    Raises:
      DataError: if there are none, or they fill no batch.
      OptionError: if the batch size is below 1.
    """

    source: Source = dataclasses.field(repr=False)
    rows: np.ndarray = dataclasses.field(repr=False)
    batch_size: int
    whole: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise OptionError(
                f'The batch size is {self.batch_size}; expected at least 1.',
                options=('batch_size',),
            )
        if self.whole:
            used = len(self.rows) // self.batch_size * self.batch_size
            object.__setattr__(self, 'rows', self.rows[:used])
        if not len(self.rows):
            least = self.batch_size if self.whole else 1
            raise DataError(
                f'The data has fewer than {least} examples; expected at least a batch '
                'of the network. Give more.',
                options=('data',),
            )

    @classmethod
    def drawn(
        cls,
        source: Source,
        batch_size: int,
        whole: bool = False,
        count: Optional[int] = None,
    ) -> Samples:
        """All examples of a source, or `count` of them by lot, always the same ones.

        Raises:
          OptionError: if the batch size is below 1.
          DataError: if there are none.
        """
        rows = np.sort(mixed(source.count)[:count])
        return cls(source, rows, batch_size, whole)

    @property
    def count(self) -> int:
        """How many examples there are."""
        return len(self.rows)

    @property
    def labels(self) -> Optional[np.ndarray]:
        """Class of each example, in the order of the batches; None: not known."""
        labels = self.source.labels
        return None if labels is None else labels[self.rows]

    @property
    def notes(self) -> Tuple[Note, ...]:
        """What a user should know of the data."""
        return self.source.notes

    @property
    def batches(self) -> Batches:
        """The examples; each pass reads them again, a batch at a time."""
        return Batches(
            lambda: self.source.read(self.rows, self.batch_size),
            -(-self.count // self.batch_size),
        )

    def some(self, count: int) -> Samples:
        """The first `count` examples; at least as many as can be run."""
        rows = self.rows[: max(count, self.least)]
        return dataclasses.replace(self, rows=rows)

    def first(self, count: int) -> Dict[str, np.ndarray]:
        """Input -> array of what `some` gives.

        Raises:
          DataError: if they cannot be read or do not fit.
        """
        batches = list(self.some(count).batches.start())
        return {
            name: first
            if not first.ndim
            else np.concatenate([batch[name] for batch in batches])
            for name, first in batches[0].items()
        }

    def picture(self) -> ContactSheet:
        """The first 16 examples as they are fed, and their figures.

        Raises:
          DataError: if they cannot be read or do not fit.
        """
        return contact_sheet.draw(self.first(contact_sheet.MOST))

    @typed.checked
    def split(self, holdout: float = HOLDOUT) -> Parts:
        """Divides the examples, by lot, always in the same way.

        Args:
          holdout: share that is not fitted: one half of it chooses, the other is only
            reported.

        Raises:
          OptionError: if `holdout` does not lie between 0 and 1.
          DataError: if there are too few examples for three parts.
        """
        check_holdout(holdout)
        least = self.least
        if self.count < 3 * least:
            raise DataError(
                f'The data has {self.count} examples; expected at least {3 * least}: '
                f'{least} each to fit, to choose and to report. Give more.',
                options=('data', 'samples'),
            )
        held = min(max(round(self.count * holdout), 2 * least), self.count - least)
        order = mixed(self.count)
        half = held - held // 2 if not self.whole else _multiple(held // 2, least)
        bounds = [half, held]
        choose, report, fit = (np.sort(part) for part in np.split(order, bounds))
        return Parts(*(self._part(part) for part in (fit, choose, report)))

    @property
    def least(self) -> int:
        """The fewest examples that can be run."""
        return self.batch_size if self.whole else 1

    def _part(self, places: np.ndarray) -> Samples:
        return dataclasses.replace(self, rows=self.rows[places])


class Parts(NamedTuple):
    """Examples in three parts that have none in common.

    Attributes:
      fit: what is learned from.
      choose: what decides.
      report: what is only measured on.
    """

    fit: Samples
    choose: Samples
    report: Samples


def check_holdout(holdout: float) -> None:
    """Raises OptionError unless a share lies between 0 and 1."""
    if not 0 < holdout < 1:
        raise OptionError(
            f'The share that is held out is {holdout}; expected between 0 and 1.',
            options=('holdout',),
        )


def mixed(count: int) -> np.ndarray:
    """The numbers below a count in an order that is drawn, always the same one."""
    return np.random.RandomState(_SEED).permutation(count)


def _multiple(count: int, of: int) -> int:
    """The multiple of a number that is next to a count from below, but above 0."""
    return max(count // of, 1) * of
