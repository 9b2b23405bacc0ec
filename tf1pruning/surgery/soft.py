"""Soft pruning: zeros at the cuts of a plan; every shape stays.

The plan's mode decides where zeros go (see `plan.Plan.zeroed_cuts`). The optimizer
slots and moving averages of a zeroed weight are zeroed with it: a stale momentum would
wake the filter at the first step of retraining. What Adagrad divides by, under any
name, stays: zero would make the weights NaN. All other variables pass unchanged.
"""

from __future__ import annotations

from typing import Collection, Iterable, Mapping, Tuple

import numpy as np

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.channels import layout
from tf1pruning.ckpt import slots
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.errors import PlanError
from tf1pruning.plan import Cut, Plan


class SoftPruned(Arrays):
    """A checkpoint with zeros at the cuts of a plan; arrays are read when asked for.

    Args:
      checkpoint: variable -> array; not changed.
      plan: what to zero.
      weights: keys of the model's own variables, which are never taken for slots.
      divisors: keys of the slots that stay, see `ckpt.slots.zeroed_slots`.

    Raises:
      PlanError: if a cut does not fit the checkpoint.
    """

    def __init__(
        self,
        checkpoint: Arrays,
        plan: Plan,
        weights: Collection[str],
        divisors: Collection[str] = (),
    ):
        self._checkpoint = checkpoint
        self.shapes = dict(checkpoint.shapes)
        self.dtypes = dict(checkpoint.dtypes)
        self._cuts = plan_lib.by_variable(plan.zeroed_cuts)
        check_cuts(plan.zeroed_cuts, self.shapes)
        found = slots.zeroed_slots(self.shapes, weights, divisors)
        for slot, owner in found.items():
            if owner in self._cuts:
                self._cuts[slot] = self._cuts[owner]

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._checkpoint[name]
        return with_zeros(array, self._cuts[name]) if name in self._cuts else array


def with_zeros(array: np.ndarray, cuts: Iterable[Cut]) -> np.ndarray:
    """A copy of `array` with zeros at the cuts, which are all of its variable.

    >>> cuts = [Cut('w', 1, 3, 'producer', ((0,), (2,)))]
    >>> with_zeros(np.ones([2, 3]), cuts).tolist()
    [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    """
    gone = np.zeros((1,) * array.ndim, bool)
    for cut in cuts:
        positions = np.zeros(array.shape[cut.axis], bool)
        positions[list(cut.indices)] = True
        gone = gone | layout.along(positions, cut.axis, array.ndim)
    # One pass: several times faster than a copy and zeros along a last axis.
    return np.where(gone, np.zeros((), array.dtype), array)


def check_cuts(cuts: Tuple[Cut, ...], shapes: Mapping[str, Tuple[int, ...]]) -> None:
    """Raises PlanError for cuts of variables that are missing or have other sizes."""
    missing = sorted({cut.variable for cut in cuts} - set(shapes))
    if missing:
        raise PlanError(
            f'The plan cuts variables that the checkpoint lacks: '
            f'{names.quoted(missing)}.'
        )
    problems = plan_lib.misfits(cuts, shapes)
    if problems:
        raise PlanError(
            f'The plan does not fit the checkpoint: {"; ".join(problems[:10])}. It is '
            'for another model, or the checkpoint is stripped already.'
        )
