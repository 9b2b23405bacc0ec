"""Reads and checks the arrays of a model's variables in a checkpoint."""

from __future__ import annotations

from typing import Dict, List, Mapping

import numpy as np

from tf1pruning import names
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory
from tf1pruning.errors import CheckpointError
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.variables import Variable

# Weights of less than this are read once and kept; larger ones again each time.
IN_MEMORY_BYTES = 1 << 28


def model_arrays(model: InferenceGraph, checkpoint: Arrays) -> Arrays:
    """Variable node -> array; parts of partitioned variables are cut out.

    Args:
      model: whose variables to read.
      checkpoint: holds them, and maybe more.

    Returns:
      The arrays; in memory, unless they are many.

    Raises:
      CheckpointError: names every variable that is missing, or has another shape, or
        values that are not finite. Many arrays are looked at when they are read.
    """
    check_shapes(model, checkpoint)
    found = ModelArrays(model, checkpoint)
    return found if found.nbytes > IN_MEMORY_BYTES else ArraysInMemory(found)


def check_shapes(model: InferenceGraph, checkpoint: Arrays) -> None:
    """Checks that a checkpoint has the variables of a model; reads none.

    Raises:
      CheckpointError: names every one that is missing, or has another shape.
    """
    shapes = checkpoint.shapes
    missing = sorted({v.key for v in model.variables} - set(shapes))
    if missing:
        extra = sorted(set(shapes) - {v.key for v in model.variables})
        raise CheckpointError(
            f'The graph has variables that the checkpoint lacks: '
            f'{names.quoted(missing, limit=len(missing))}. Only in the checkpoint: '
            f'{names.quoted(extra) or "nothing"}. Give a graph and a checkpoint that '
            'belong together.'
        )
    wrong = [
        f'{v.key!r} is {shapes[v.key]} in the checkpoint and {v.full_shape} in the '
        'graph'
        for v in model.variables
        if shapes[v.key] != v.full_shape
    ]
    if wrong:
        raise CheckpointError(
            f'Shapes differ: {"; ".join(wrong)}. Give a graph and a checkpoint that '
            'belong together.'
        )


class ModelArrays(Arrays):
    """Variable node -> array, read from a checkpoint each time it is asked for.

    Variables of bfloat16 come as 32-bit floats, which NumPy knows.

    Args:
      model: whose variables they are.
      checkpoint: holds them.

    Raises:
      CheckpointError: when one is read that has NaN or infinite values; names all.
    """

    def __init__(self, model: InferenceGraph, checkpoint: Arrays):
        self._checkpoint = checkpoint
        self._variables = {variable.node: variable for variable in model.variables}
        self.shapes = {v.node: v.shape for v in model.variables}
        self.dtypes = {
            v.node: nodes.calculable_type(checkpoint.dtypes[v.key])
            for v in model.variables
        }

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._read(name)
        if not _is_finite(array):
            bad = [each for each in self if not _is_finite(self._read(each))]
            raise CheckpointError(
                f'NaN or infinite values in {names.quoted(bad)}. Use a checkpoint from '
                'before the training diverged.'
            )
        return array

    def _read(self, name: str) -> np.ndarray:
        variable = self._variables[name]
        return nodes.calculable(_part(self._checkpoint[variable.key], variable))


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind not in 'fc' or bool(np.isfinite(array).all())


def _part(array: np.ndarray, variable: Variable) -> np.ndarray:
    if variable.offset is None:
        return array
    bounds = zip(variable.offset, variable.shape)
    return array[tuple(slice(start, start + size) for start, size in bounds)]


def array_of(
    view: view_lib.GraphView, source: str, arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The array of a weight: of a variable, else the value of its Const node.

    Args:
      view: of the model.
      source: node of the weight.
      arrays: variable node -> array; may name Const nodes that have another value now.
    """
    if source in arrays:
        return arrays[source]
    return nodes.constant_value(view.node(source))


class CheckpointArrays(Arrays):
    """Checkpoint key -> array; parts of partitioned variables are put together.

    Args:
      model: whose variables they are.
      arrays: variable node -> array; read when one is asked for.
    """

    def __init__(self, model: InferenceGraph, arrays: Arrays):
        self._arrays = arrays
        self._parts: Dict[str, List[Variable]] = {}
        for variable in model.variables:
            self._parts.setdefault(variable.key, []).append(variable)
        first = {key: parts[0] for key, parts in self._parts.items()}
        self.shapes = {
            key: arrays.shapes[v.node] if v.offset is None else v.full_shape
            for key, v in first.items()
        }
        self.dtypes = {key: v.dtype for key, v in first.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        parts = self._parts[name]
        if parts[0].offset is None:
            dtype = self.dtypes[name].as_numpy_dtype
            return self._arrays[parts[0].node].astype(dtype, copy=False)
        whole = np.empty(self.shapes[name], self.dtypes[name].as_numpy_dtype)
        for v in parts:
            bounds = zip(v.offset or (), v.shape)
            where = tuple(slice(start, start + size) for start, size in bounds)
            whole[where] = self._arrays[v.node]
        return whole
