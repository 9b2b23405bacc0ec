"""The arrays of a model's variables, taken from a checkpoint and checked against it."""

from __future__ import annotations

from typing import Dict, List, Mapping

import numpy as np

from tf1pruning import names
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.errors import CheckpointError
from tf1pruning.graph.model import Model
from tf1pruning.graph.variables import Variable


def model_arrays(model: Model, checkpoint: Arrays) -> Dict[str, np.ndarray]:
    """Variable node -> array; parts of partitioned variables are cut out.

    Args:
      model: whose variables to read.
      checkpoint: holds them, and maybe more.

    Raises:
      CheckpointError: names every variable that is missing or has another shape.
    """
    shapes = checkpoint.shapes
    missing = sorted({v.key for v in model.variables} - set(shapes))
    if missing:
        extra = sorted(set(shapes) - {v.key for v in model.variables})
        raise CheckpointError(
            f'The graph has variables that the checkpoint lacks: '
            f'{names.quoted(missing, limit=len(missing))}. Do the graph and the '
            'checkpoint belong together?'
            f' Only in the checkpoint: {names.quoted(extra) or "nothing"}.'
        )
    wrong = [
        f'{v.key!r} is {shapes[v.key]} in the checkpoint and {v.full_shape} in the '
        'graph'
        for v in model.variables
        if shapes[v.key] != v.full_shape
    ]
    if wrong:
        raise CheckpointError(
            f'Shapes differ: {"; ".join(wrong)}. Do the graph and the checkpoint '
            'belong together?'
        )
    return {v.node: _part(checkpoint[v.key], v) for v in model.variables}


def _part(array: np.ndarray, variable: Variable) -> np.ndarray:
    if variable.offset is None:
        return array
    bounds = zip(variable.offset, variable.shape)
    return array[tuple(slice(start, start + size) for start, size in bounds)]


def checkpoint_arrays(
    model: Model, arrays: Mapping[str, np.ndarray]
) -> Dict[str, np.ndarray]:
    """Checkpoint key -> array; parts of partitioned variables are put together."""
    result: Dict[str, np.ndarray] = {}
    parts: Dict[str, List[Variable]] = {}
    for variable in model.variables:
        if variable.offset is None:
            result[variable.key] = arrays[variable.node]
        else:
            parts.setdefault(variable.key, []).append(variable)
    for key, variables in parts.items():
        whole = np.empty(variables[0].full_shape, variables[0].dtype.as_numpy_dtype)
        for v in variables:
            bounds = zip(v.offset or (), v.shape)
            where = tuple(slice(start, start + size) for start, size in bounds)
            whole[where] = arrays[v.node]
        result[key] = whole
    return result
