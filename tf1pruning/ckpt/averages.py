"""A checkpoint whose variables have the values of their moving averages."""

from __future__ import annotations

from typing import Dict

import numpy as np

from tf1pruning import names
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.ckpt.slots import find_slots
from tf1pruning.errors import CheckpointError
from tf1pruning.optimizer_names import AVERAGE

SUFFIX = f'/{AVERAGE}'


class Averaged(Arrays):
    """Reads a variable's moving average where there is one, else the variable.

    The average of `w` is `w/ExponentialMovingAverage`, or has the scope in front in
    which the averages were made.

    Args:
      variables: all variables, averages included.

    Raises:
      CheckpointError: if no variable has an average, or one has another shape than its
        variable, or a variable has several.
    """

    def __init__(self, variables: Arrays):
        self._variables = variables
        self._averages = _averages(variables)
        self.shapes = dict(variables.shapes)
        self.dtypes = dict(variables.dtypes)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._variables[self._averages.get(name, name)]


def _averages(variables: Arrays) -> Dict[str, str]:
    """Variable -> its moving average."""
    shapes = variables.shapes
    own = [name for name in shapes if not name.endswith(SUFFIX)]
    misshaped = [
        f'{name!r} is {shapes[name]} and its average {shapes[name + SUFFIX]}'
        for name in own
        if shapes.get(name + SUFFIX, shapes[name]) != shapes[name]
    ]
    if misshaped:
        raise CheckpointError(
            f'Shapes differ: {"; ".join(misshaped)}. Expected a checkpoint of one '
            'training.'
        )
    found: Dict[str, str] = {}
    for average, owner in find_slots(shapes, own).items():
        if average.endswith(SUFFIX) and found.get(owner) != owner + SUFFIX:
            if owner in found and average != owner + SUFFIX:
                raise CheckpointError(
                    f'Variable {owner!r} has several moving averages: '
                    f'{names.quoted([found[owner], average])}. Expected one.'
                )
            found[owner] = average
    if not found:
        raise CheckpointError(
            'No variable has a moving average: nothing is named '
            f"'<variable>{SUFFIX}'. Use the variables themselves."
        )
    return found
