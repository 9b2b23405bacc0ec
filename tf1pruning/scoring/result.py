"""Scores that were found on data: a value, its file, and a scorer."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from typing import Dict, Iterable, Mapping, Optional

import numpy as np

from tf1pruning import files, names, npz, typed
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.choosing.scores import Combination, Scored, with_tie_breakers
from tf1pruning.errors import DataError, OptionError

FORMAT = 2
# Kind of array in a file -> number of its axes.
_SCORE, _MEAN = 'score', 'mean'
_AXES = {_SCORE: 2, _MEAN: 1}


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """What a pass over data found.

    Attributes:
      scores: criterion -> group -> `[layers, width]` scores; the larger, the more
        redundant.
      means: layer -> `[channels]` mean of each channel that it reads.
      batches: number of batches.
      loss: averaged over them; None: no criterion needed one.
      weights: checkpoint key -> digest of each weight that the model had; empty: the
        scores go with any weights.
    """

    scores: Dict[str, Dict[str, np.ndarray]]
    means: Dict[str, np.ndarray]
    batches: int
    loss: Optional[float]
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of_any_weights(self) -> Scores:
        """The scores for use with other weights than those that were scored."""
        return dataclasses.replace(self, weights={})

    def check(self, weights: Mapping[str, str]) -> None:
        """Refuses weights that are not those that were scored.

        Weights that only one side has do not count: a graph may have been scored as a
        whole and be pruned up to an output.

        Args:
          weights: as `digests` gives them.

        Raises:
          DataError: if one differs, or they have none in common.
        """
        if not self.weights:
            return
        common = [key for key in weights if key in self.weights]
        other = [key for key in common if weights[key] != self.weights[key]]
        if other or not common:
            found = f'{len(other)} of {len(common)} differ: {names.quoted(other)}'
            raise DataError(
                'The scores are of other weights than those of the model '
                f'({found if other else "no name is in both"}). Score this checkpoint '
                'again, or insist on the older scores.',
                options=('stale_scores',),
            )

    @typed.checked
    def save(self, path: files.Path) -> None:
        """Writes an `.npz` file as a whole.

        Raises:
          OutputError: if it cannot be written.
        """
        info = {
            'format': FORMAT,
            'batches': self.batches,
            'loss': self.loss,
            'weights': dict(self.weights),
        }
        arrays = {'info': np.array(json.dumps(info))}
        for criterion, groups in self.scores.items():
            for group, array in groups.items():
                arrays[f'{_SCORE}:{criterion}:{group}'] = array
        for node, array in self.means.items():
            arrays[f'{_MEAN}:{node}'] = array
        npz.write(os.fspath(path), arrays)

    @classmethod
    @typed.checked
    def load(cls, path: files.Path) -> Scores:
        """Reads a file that `save` or the command `score` wrote.

        Raises:
          DataError: if the file is missing, damaged, or holds something else.
        """
        path = os.fspath(path)
        try:
            arrays = npz.read(path)
        except DataError as error:
            raise DataError(f'{error}. `score` writes such files.') from error
        try:
            info = _info(arrays.pop('info', np.array('{}')))
            scores: Dict[str, Dict[str, np.ndarray]] = {}
            means = {}
            for name, array in arrays.items():
                kind, _, rest = name.partition(':')
                _check_array(name, array, _AXES.get(kind))
                if kind == _MEAN:
                    means[rest] = array
                else:
                    criterion, _, group = rest.partition(':')
                    scores.setdefault(criterion, {})[group] = array
        except ValueError as error:
            raise DataError(
                f'{path!r} is no file of scores: {error}. `score` writes such files.'
            ) from error
        return cls(scores, means, info.batches, info.loss, info.weights)


@dataclasses.dataclass(frozen=True)
class _Info:
    """What a file of scores has besides arrays; see `Scores`."""

    batches: int
    loss: Optional[float]
    weights: Dict[str, str]


def _info(array: np.ndarray) -> _Info:
    """Raises ValueError for anything else."""
    try:
        found = json.loads(str(array))
    except RecursionError as error:
        raise ValueError('its info is nested too deeply') from error
    return typed.from_json(_Info, typed.versioned(found, 'format', FORMAT))


def _check_array(name: str, array: np.ndarray, axes: Optional[int]) -> None:
    """Raises ValueError unless it is an array that such a file holds."""
    if axes is None:
        raise ValueError(f'it has an array {name!r}')
    is_float = array.dtype.kind == 'f' and array.ndim == axes
    if not is_float or not array.size or not np.isfinite(array).all():
        raise ValueError(
            f'{name!r} has type {array.dtype} and shape {array.shape}; expected finite '
            f'floats with {axes} axes'
        )


def digests(weights: Mapping[str, np.ndarray], keys: Iterable[str]) -> Dict[str, str]:
    """Checkpoint key -> digest of type, shape and values of a weight."""
    return {key: _digest(weights[key]) for key in keys}


def _digest(array: np.ndarray) -> str:
    found = hashlib.blake2b(f'{array.dtype} {array.shape}'.encode(), digest_size=8)
    found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class SavedScorer:
    """Scores groups by the scores that a pass over data found.

    Attributes:
      scores: from the pass.
      criterion: one of theirs.
      trace: of the model.
      arrays: checkpoint key, or name of a Const node -> array.
      combination: of the layers' scores.

    Raises:
      OptionError: if the criterion is not among the scores.
    """

    scores: Scores
    criterion: str
    trace: Trace
    arrays: Mapping[str, np.ndarray]
    combination: Combination = Combination()

    def __post_init__(self) -> None:
        if self.criterion not in self.scores.scores:
            raise OptionError(
                f'The scores are by {names.quoted(list(self.scores.scores))}, not by '
                f'criterion {self.criterion!r}. Score the model by that.'
            )

    def __call__(self, group: Group, kept: Optional[int] = None) -> Scored:
        """Scores a group; how many of its channels stay makes no difference.

        Raises:
          DataError: if the group has no scores, or of another width.
        """
        by_group = self.scores.scores[self.criterion]
        found = by_group.get(group.name)
        if found is None:
            raise DataError(
                f'There are no scores by {self.criterion!r} of group {group.name!r}. '
                f'{names.did_you_mean(group.name, by_group)} Score the same groups '
                'of this model, or leave the group out.',
                options=('groups',),
            )
        if found.shape[1] != group.width:
            raise DataError(
                f'The scores of group {group.name!r} are for {found.shape[1]} '
                f'channels, and it has {group.width}. Score this model again.'
            )
        scores = self.combination(found)
        return with_tie_breakers(group, scores, self.trace, self.arrays)
