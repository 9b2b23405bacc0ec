"""The state of a training in a file, to go on from there after a kill."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import npz, typed
from tf1pruning.errors import DataError
from tf1pruning.recovery.network import Answered
from tf1pruning.scoring.batches import content

_INFO, _ARRAY, _BEST = 'info', 'array:', 'best:'


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingState:
    """How far a training is.

    Attributes:
      best: the best weights so far.
      losses: (steps, loss on the samples that choose) of each look, from the start.
      trials: the loss after the short run of each rate that was tried.
      rate: that was chosen; it follows from the trials.
      arrays: what the student has to be restored from; none before the first look.
    """

    best: Mapping[str, np.ndarray]
    losses: Tuple[Tuple[int, float], ...]
    trials: Tuple[float, ...] = ()
    rate: float = 0.0
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def best_step(self) -> int:
        """After how many steps the weights were best."""
        return min(self.losses, key=lambda look: look[1])[0]


class RunFile(NamedTuple):
    """A file that holds the state of one training.

    Attributes:
      path: of an `.npz` file.
      digest: names the training, see `digest`.
    """

    path: str
    digest: str

    def write(self, state: TrainingState) -> None:
        """Writes the file as a whole.

        Raises:
          OutputError: if it cannot be written.
        """
        info = _Info(self.digest, state.losses, state.trials)
        arrays = {_INFO: np.array(json.dumps(dataclasses.asdict(info)))}
        for start, group in ((_ARRAY, state.arrays), (_BEST, state.best)):
            arrays.update({f'{start}{name}': a for name, a in group.items()})
        npz.write(self.path, arrays)

    def read(self) -> Optional[TrainingState]:
        """The state in the file; None if there is no file.

        Raises:
          DataError: if it is damaged, or the state of another training.
        """
        if not os.path.lexists(self.path):
            return None
        arrays = npz.read(self.path)
        try:
            info = typed.from_json(_Info, json.loads(str(arrays.pop(_INFO, ''))))
        except ValueError as error:
            raise DataError(
                f'{self.path!r} is no state of a training: {error}. Name another file.'
            ) from error
        if info.digest != self.digest:
            raise DataError(
                f'{self.path!r} is the state of another training: networks, samples '
                'or options are not these. Remove it, or name another file.',
                options=('state',),
            )
        return TrainingState(
            best=_starting(arrays, _BEST),
            losses=tuple((step, loss) for step, loss in info.losses),
            trials=info.trials,
            arrays=_starting(arrays, _ARRAY),
        )


@dataclasses.dataclass(frozen=True)
class _Info:
    """What the file says besides arrays."""

    digest: str
    losses: Tuple[Tuple[int, float], ...]
    trials: Tuple[float, ...]


def digest(
    graphs: Iterable[tf.GraphDef], samples: Iterable[Answered], options: Any
) -> str:
    """Names a training by its networks, some of its samples and its options."""
    found = hashlib.sha256(repr(options).encode())
    for graph_def in graphs:
        found.update(graph_def.SerializeToString(deterministic=True))
    for answered in samples:
        for name, array in answered.feeds.items():
            found.update(f'{name} {array.shape} {array.dtype}'.encode())
            found.update(content(array))
    return found.hexdigest()


def _starting(arrays: Mapping[str, np.ndarray], start: str) -> Dict[str, np.ndarray]:
    return {n[len(start) :]: a for n, a in arrays.items() if n.startswith(start)}
