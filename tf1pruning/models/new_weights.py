"""Gives a model other weights, and its training a state that fits them."""

from __future__ import annotations

from typing import Dict, Mapping

import numpy as np

from tf1pruning.ckpt import averages, slots
from tf1pruning.ckpt.arrays import Replaced
from tf1pruning.models.model import Model
from tf1pruning.surgery import weights


def with_new_weights(model: Model, arrays: Mapping[str, np.ndarray]) -> Model:
    """The model with other values of some weights, which are not on disk yet.

    Moving averages of these weights take the new values. Their optimizer slots become
    zero, as at the start of a training, but for what the optimizer divides by.

    Args:
      model: not changed.
      arrays: variable node, or name of a Const node -> array of the same shape.

    Raises:
      CheckpointError: if variables are missing or misshaped, or parts of a partitioned
        one are NaN or infinite.
    """
    keys = model.graph.keys()
    constants = {name: array for name, array in arrays.items() if name not in keys}
    variables = {name: array for name, array in arrays.items() if name in keys}
    if constants:
        model = model.with_constants(constants)
    if not variables:
        return model
    whole = weights.CheckpointArrays(model.graph, Replaced(model.arrays(), variables))
    changed = {key: whole[key] for key in {keys[name] for name in variables}}
    changed.update(_state(model, changed))
    return model.with_variables(Replaced(model.variables, changed))


def _state(model: Model, changed: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Averages and slots of changed weights: checkpoint key -> array."""
    variables = model.variables
    found = slots.zeroed_slots(variables.shapes, model.weight_keys, model.divisors)
    state = {}
    for slot, owner in found.items():
        if owner in changed:
            dtype = variables.dtypes[slot].as_numpy_dtype
            array = changed[owner].astype(dtype)
            is_average = slot.endswith(averages.SUFFIX)
            state[slot] = array if is_average else np.zeros_like(array)
    return state
