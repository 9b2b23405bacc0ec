"""Scores of a group's channels, combined from those of its layers.

Several layers may make one channel, such as those whose outputs are added. Each gives
it a score; `Combination` says how these become one.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, List, Mapping, Optional

import numpy as np

from tf1pruning import typed
from tf1pruning.channels.groups import Group, Place
from tf1pruning.channels.trace_result import PRODUCER, SCALE, Trace
from tf1pruning.choosing.choice import check_known
from tf1pruning.criteria import weights
from tf1pruning.criteria.registry import Criterion
from tf1pruning.errors import OptionError

COMBINE: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'mean': lambda scores: scores.mean(axis=0),
    # Scores are redundancies: the layer that needs a channel most gives the smallest.
    'max': lambda scores: scores.min(axis=0),
    'first': lambda scores: scores[0],
}
NORMALIZERS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'none': lambda scores: np.ones(len(scores)),
    'mean': lambda scores: np.abs(scores).mean(axis=1),
    'l2': lambda scores: np.sqrt(np.square(scores).sum(axis=1)),
    'max': lambda scores: np.abs(scores).max(axis=1),
}


@typed.checked
@dataclasses.dataclass(frozen=True)
class Combination:
    """How the scores of a group's layers become one.

    Attributes:
      combine: 'mean' of the layers; 'max': a channel is as important as it is to the
        layer that needs it most; 'first': the first layer's.
      normalizer: what each layer's scores are divided by first, so that layers can be
        compared: 'none', 'mean' (of their magnitudes), 'l2' (their norm, Molchanov et
        al., arXiv 1611.06440, eq. 12) or 'max' (the largest magnitude).

    Raises:
      OptionError: if there is no such way.
    """

    combine: str = 'mean'
    normalizer: str = 'none'

    def __post_init__(self) -> None:
        check_known('combine', self.combine, COMBINE)
        check_known('normalizer', self.normalizer, NORMALIZERS)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """One score per channel `[width]` from those of the layers `[layers, width]`.

        >>> Combination('mean', 'max')(np.array([[1.0, 2.0], [8.0, 4.0]])).tolist()
        [0.75, 0.75]
        """
        scales = NORMALIZERS[self.normalizer](scores)[:, np.newaxis]
        return COMBINE[self.combine](scores / np.where(scales == 0, 1, scales))


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """A group with the scores of its channels.

    Attributes:
      group: a group that is not frozen.
      scores: `[width]`; the larger, the more redundant.
      magnitudes: `[width]`; among equal scores the smallest goes first. Zeros if no
        two scores are equal.
    """

    group: Group
    scores: np.ndarray
    magnitudes: np.ndarray

    def order(self) -> np.ndarray:
        """`[width]` channels, the first to go first."""
        channels = np.arange(self.group.width)
        return np.lexsort((channels, self.magnitudes, -self.scores))


# Scores of a group, given how many of its channels stay (None if that is not known).
Scorer = Callable[[Group, Optional[int]], Scored]


@dataclasses.dataclass(frozen=True, eq=False)
class WeightScorer:
    """Scores groups by a criterion that looks at weights.

    A group is judged by the layers that make its channels, depthwise ones left out. So
    an inverted-residual block is judged by its expansion, a squeeze-and-excite block by
    its reducing layer. Where a channel has several filters in a layer, their scores are
    averaged.

    Attributes:
      trace: of the model.
      arrays: checkpoint key, or name of a Const node -> array.
      criterion: what scores filters.
      combination: of the layers' scores.
    """

    trace: Trace
    arrays: Mapping[str, np.ndarray]
    criterion: Criterion
    combination: Combination = Combination()

    def __call__(self, group: Group, kept: Optional[int] = None) -> Scored:
        """Scores a group, given how many of its channels stay.

        Raises:
          OptionError: if the group lacks what the criterion looks at, or the criterion
            needs to know how many channels stay.
        """
        judged = judging_places(group, self.trace)
        if self.criterion.of_scales:
            judged = [place for place in group.places if place.role == SCALE]
        if not judged:
            raise OptionError(
                f'Criterion {self.criterion.name!r} looks at batch-norm scales, and '
                f'group {group.name!r} has none. Choose another criterion, or scopes '
                'without this group.'
            )
        layers = np.stack([self._per_channel(place, kept) for place in judged])
        scores = self.combination(layers)
        return with_tie_breakers(group, scores, self.trace, self.arrays)

    def _per_channel(self, place: Place, kept: Optional[int]) -> np.ndarray:
        array, criterion = self.arrays[place.variable], self.criterion
        if not criterion.counted:
            return criterion.score(array, place.axis)[place.positions].mean(axis=1)
        if kept is None:
            raise OptionError(
                f'Criterion {criterion.name!r} needs to know how many channels of each '
                'group stay: give a ratio or a count per group.'
            )
        filters = np.moveaxis(array, place.axis, 0)[place.positions]
        return criterion.score(filters, 0, kept)


def judging_places(group: Group, trace: Trace) -> List[Place]:
    """The producers that a group is judged by: all but depthwise ones, else all."""
    keys = trace.keys()
    depthwise = {keys.get(k.variable) for k in trace.kernels if k.depthwise}
    makers = [place for place in group.places if place.role == PRODUCER]
    return [p for p in makers if p.variable not in depthwise] or makers


def with_tie_breakers(
    group: Group, scores: np.ndarray, trace: Trace, arrays: Mapping[str, np.ndarray]
) -> Scored:
    """A group with its scores `[width]`; equal ones are ordered by L1 norms.

    The weights that make the channels, in `arrays` by checkpoint key or name of a Const
    node, are read only if some scores are equal.
    """
    if np.unique(scores).size == scores.size:
        return Scored(group, scores, np.zeros(group.width))
    norms = [
        weights.l1(arrays[place.variable], place.axis)[place.positions].mean(axis=1)
        for place in judging_places(group, trace)
    ]
    return Scored(group, scores, np.sum(norms, axis=0))
