"""Strips the checkpoint of a training, with its optimizer state."""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Set, Tuple

import numpy as np

from tf1pruning.ckpt import slots
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory
from tf1pruning.plan import Cut


class StrippedState(Arrays):
    """Stripped weights, their slots cut alike, and the variables of the training.

    The latter are the global step, the powers of Adam's betas and the like. Arrays of
    slots are read when asked for.

    Args:
      checkpoint: of the training, before stripping; not changed.
      weights: checkpoint key -> stripped array.
      cuts: what was removed from the weights.
      dropped: keys of weights that the stripped graph does not have; they and their
        slots are left out.
    """

    def __init__(
        self,
        checkpoint: Arrays,
        weights: Mapping[str, np.ndarray],
        cuts: Collection[Cut],
        dropped: Collection[str],
    ):
        self._checkpoint = checkpoint
        self._weights = dict(weights)
        removed: Dict[str, Dict[int, Set[int]]] = {}
        for cut in cuts:
            axes = removed.setdefault(cut.variable, {})
            axes.setdefault(cut.axis, set()).update(cut.indices)
        owners = slots.find_slots(checkpoint.shapes, [*weights, *dropped])
        self._drops: Dict[str, List[Tuple[int, List[int]]]] = {
            slot: [(axis, sorted(drop)) for axis, drop in removed[owner].items()]
            for slot, owner in owners.items()
            if owner in removed
        }
        gone = set(dropped) | {s for s, owner in owners.items() if owner in dropped}
        keys = [key for key in checkpoint if key not in gone]
        new = ArraysInMemory(self._weights)
        self.shapes = {
            key: new.shapes[key] if key in new else self._shape(key) for key in keys
        }
        self.dtypes = {key: checkpoint.dtypes[key] for key in keys}

    def _shape(self, key: str) -> Tuple[int, ...]:
        shape = list(self._checkpoint.shapes[key])
        for axis, drop in self._drops.get(key, ()):
            shape[axis] -= len(drop)
        return tuple(shape)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._weights:
            return self._weights[name]
        array = self._checkpoint[name]
        for axis, drop in self._drops.get(name, ()):
            array = np.delete(array, drop, axis)
        return array
