"""Whether data fits the inputs of a network, and what must be changed of it."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import DataError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import precision
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.surgery import feeds

_WHOLE, _FLOATS, _STRINGS = 'biu', 'fiub', 'SUO'


class Input(NamedTuple):
    """What an input of a network takes.

    Attributes:
      name: of its placeholder.
      dtype: of its elements; 16-bit floats count as 32-bit ones.
      shape: with the axis of the batch, if there is one; None: not known.
    """

    name: str
    dtype: np.dtype
    shape: Optional[view_lib.Shape]

    @property
    def is_single(self) -> bool:
        """Whether it takes one number for all examples."""
        return self.shape == ()

    @property
    def batch(self) -> Optional[int]:
        """The only size of a batch that it takes; None: any."""
        return self.shape[0] if self.shape else None

    def problem(self, shape: Tuple[int, ...], dtype: np.dtype) -> Optional[str]:
        """Why an array of examples cannot be fed, if it cannot.

        Args:
          shape: of the array, with an axis of examples unless the input is single.
          dtype: of the array.
        """
        wanted = (None, *self.shape[1:]) if self.shape else self.shape
        if not view_lib.agree(shape, wanted) or (wanted is None and not shape):
            return (
                f'input {self.name!r}: the data has the shape {shape}; expected '
                f'{_shape_name(wanted)}{self._hint(shape)}'
            )
        if not self._takes(dtype):
            return (
                f'input {self.name!r}: the data is of type {dtype}; expected '
                f'{_type_name(self.dtype)}'
            )
        return None

    def fitted(self, array: np.ndarray) -> np.ndarray:
        """An array of examples as it is fed.

        Raises:
          DataError: if it does not fit, is NaN or infinite, or too large for the type.
        """
        problem = self.problem(array.shape, array.dtype)
        if problem is None:
            cast = self._cast(array)
            problem = self._lost(array, cast)
        if problem is not None:
            raise DataError(f'The data does not fit: {problem}.', options=('data',))
        return cast

    def _cast(self, array: np.ndarray) -> np.ndarray:
        if self.dtype.kind in _STRINGS:
            return array
        with np.errstate(over='ignore'):
            return array.astype(self.dtype, copy=False)

    def _lost(self, array: np.ndarray, cast: np.ndarray) -> Optional[str]:
        """What is wrong with the numbers of an array that was cast."""
        what = f'input {self.name!r}: the data has'
        if not _is_finite(cast):
            return f'{what} NaN or infinite values, or too large ones for {self.dtype}'
        if self.dtype.kind in 'iu' and not np.array_equal(cast, array):
            largest = array[cast != array].flat[0]
            return f'{what} numbers such as {largest}, which {self.dtype} does not hold'
        return None

    def _takes(self, dtype: np.dtype) -> bool:
        kind = self.dtype.kind
        if kind == 'f':
            return dtype.kind in _FLOATS
        if kind in _STRINGS:
            return dtype.kind in _STRINGS
        return dtype.kind in ('b' if kind == 'b' else _WHOLE if kind in 'iu' else kind)

    def _hint(self, shape: Tuple[int, ...]) -> str:
        """What may be wrong with a shape."""
        wanted = (self.shape or ())[1:]
        if None in wanted or not shape:
            return ''
        if shape == wanted:
            return '. A single example has an axis of examples as well'
        if sorted(map(str, shape[1:])) == sorted(map(str, wanted)):
            return '. The axes stand in another order'
        return ''


def inputs_of(graph: InferenceGraph) -> Dict[str, Input]:
    """Name -> input, of all that a graph has; those without a default come first."""
    ordered = dict.fromkeys((*graph.required_inputs, *graph.inputs))
    return {name: _input(graph, name) for name in ordered}


def _input(graph: InferenceGraph, name: str) -> Input:
    view = graph.view()
    node = view.node(name)
    dtype = tf.as_dtype(view_lib.attribute(node, 'dtype').type)
    wide = tf.float32 if precision.is_half(dtype) else dtype
    return Input(name, np.dtype(wide.as_numpy_dtype), feeds.shape_of(view, node))


def batch_size(inputs: Mapping[str, Input]) -> Optional[int]:
    """The only size of a batch that a network takes; None: any.

    Raises:
      DataError: if its inputs have batches of different sizes.
    """
    sizes: List[Tuple[str, int]] = [
        (name, each.batch) for name, each in inputs.items() if each.batch is not None
    ]
    if len({size for _, size in sizes}) > 1:
        listed = ', '.join(f'{name!r} {size}' for name, size in sizes)
        raise DataError(
            f'The inputs have different sizes along their first axis: {listed}; it is '
            'not known which of them counts examples. Cut the graph behind the others.',
            options=('input_tensors',),
        )
    return sizes[0][1] if sizes else None


def check(
    inputs: Mapping[str, Input], found: Mapping[str, Tuple[Tuple[int, ...], np.dtype]]
) -> int:
    """The number of examples of arrays that fit.

    Args:
      inputs: of the network, by name.
      found: input -> shape and type of its array.

    Raises:
      DataError: names every array that does not fit; or if their lengths differ, or are
        0, or there is none with an axis of examples.
    """
    problems = [inputs[name].problem(*array) for name, array in found.items()]
    listed = [problem for problem in problems if problem is not None]
    lengths = {
        name: array[0][0]
        for name, array in found.items()
        if not inputs[name].is_single and array[0]
    }
    if not listed and len(set(lengths.values())) != 1:
        listed = [f'the arrays have {lengths} examples; expected one number for all']
    if not listed and not all(lengths.values()):
        listed = [f'the data is empty: {names.quoted(list(lengths))} have no example']
    if listed:
        raise DataError(f'The data does not fit: {"; ".join(listed)}.', ('data',))
    return next(iter(lengths.values()))


def _shape_name(shape: Optional[view_lib.Shape]) -> str:
    if shape == ():
        return 'a single number'
    sizes = ['?' if size is None else str(size) for size in (shape or ())[1:]]
    return f'({", ".join(["examples", *sizes])})' if shape else 'an axis of examples'


def _type_name(dtype: np.dtype) -> str:
    return 'strings' if dtype.kind in _STRINGS else str(dtype)


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind not in 'fc' or bool(np.isfinite(array).all())
