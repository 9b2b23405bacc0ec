"""Tables of widths: how much the answers change when a group gets narrower."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Tuple

from tf1pruning.errors import PlanError


@dataclasses.dataclass(frozen=True)
class Width:
    """A group that lost channels, alone and after the repair of its readers.

    Attributes:
      removed: sorted channels that are gone.
      change: of the answers, see `recovery.change`.

    Raises:
      PlanError: if they are not sorted, or one is there twice; or if the change is no
        number of at least 0.
    """

    removed: Tuple[int, ...]
    change: float

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.removed, self.removed[1:])):
            raise PlanError(
                f'A width lacks the channels {list(self.removed)}; expected each once, '
                'in ascending order.'
            )
        if not (math.isfinite(self.change) and self.change >= 0):
            raise PlanError(
                f'A width has the change {self.change}; expected a finite number of at '
                'least 0.'
            )


@dataclasses.dataclass(frozen=True)
class GroupWidths:
    """The widths of a group.

    Attributes:
      name: of the group.
      width: number of its channels.
      entries: from the widest to the narrowest.
      scale: factor of these changes: what they are worth among those of other groups.

    Raises:
      PlanError: if they are not in this order, or a channel or share cannot be.
    """

    name: str
    width: int
    entries: Tuple[Width, ...]
    scale: float = 1.0

    def __post_init__(self) -> None:
        counts = [0, *(len(entry.removed) for entry in self.entries), self.width]
        if any(a >= b for a, b in zip(counts, counts[1:])):
            raise PlanError(
                f'Group {self.name!r} of {self.width} channels loses {counts[1:-1]} in '
                'its table of widths; expected ascending numbers below its width.'
            )
        removed = itertools.chain(*(entry.removed for entry in self.entries))
        unknown = [c for c in removed if not 0 <= c < self.width]
        if unknown:
            raise PlanError(f'Group {self.name!r} has no channel {unknown[0]}.')
        if not 0 <= self.scale < math.inf:
            raise PlanError(
                f'The changes of group {self.name!r} have the scale {self.scale}; '
                'expected a finite number of at least 0.'
            )

    @property
    def changes(self) -> Tuple[float, ...]:
        """Of each number of entries that are gone into, from 0 on, as they are worth.

        They never fall: a narrower group cannot answer better; where it seems to, that
        is chance.

        >>> entries = Width((0,), 0.4), Width((0, 1), 0.2), Width((0, 1, 2), 0.6)
        >>> GroupWidths('g', 4, entries, scale=0.5).changes
        (0.0, 0.2, 0.2, 0.3)
        """
        found = [0.0, *(entry.change * self.scale for entry in self.entries)]
        return tuple(itertools.accumulate(found, max))


@dataclasses.dataclass(frozen=True)
class Tried:
    """A plan that was tried as a whole.

    Attributes:
      digest: of the plan and the samples.
      change: of the answers.
    """

    digest: str
    change: float


@dataclasses.dataclass(frozen=True)
class WidthTable:
    """What the widths of a network's groups cost in answers.

    Attributes:
      model: digest of the network.
      samples: digest of the samples.
      seed: of the repair.
      multiple: the widths are multiples of it.
      groups: in the order of their measurement.
      tried: plans by this table, so that none is tried twice.
    """

    model: str
    samples: str
    seed: int
    multiple: int
    groups: Tuple[GroupWidths, ...]
    tried: Tuple[Tried, ...] = ()
