"""Variables by name, with shapes and types known before an array is read."""

from __future__ import annotations

from typing import Collection, Dict, Iterator, Mapping, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.shapes import element_count

Shape = Tuple[int, ...]


class Arrays(Mapping[str, np.ndarray]):
    """Variable name -> array; all but the arrays is known without reading one.

    Attributes:
      shapes: variable name -> shape; it says which variables there are.
      dtypes: variable name -> element type.
    """

    shapes: Dict[str, Shape]
    dtypes: Dict[str, tf.DType]

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays together, text not counted."""
        return sum(map(self.nbytes_of, self.shapes))

    def nbytes_of(self, name: str) -> int:
        """Bytes of one array; 0 if there is none of that name."""
        if name not in self.shapes:
            return 0
        return element_count(self.shapes[name]) * self.dtypes[name].size


class ArraysInMemory(Arrays):
    """Arrays that are all in memory.

    >>> ArraysInMemory({'w': np.zeros([2, 3])}).shapes
    {'w': (2, 3)}
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        # Read once: it may be a checkpoint.
        self._arrays = own = dict(arrays)
        self.shapes = {name: array.shape for name, array in own.items()}
        self.dtypes = {name: dtype_of(array) for name, array in own.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]


class Replaced(Arrays):
    """Variables, some of which have another array of the same shape and type.

    >>> base = ArraysInMemory({'w': np.zeros(2), 'b': np.zeros(1)})
    >>> Replaced(base, {'b': np.ones(1)})['b']
    array([1.])
    """

    def __init__(self, base: Arrays, replaced: Mapping[str, np.ndarray]):
        self._base = base
        self._replaced = dict(replaced)
        self.shapes = dict(base.shapes)
        self.dtypes = dict(base.dtypes)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._replaced[name] if name in self._replaced else self._base[name]


class Chosen(Arrays):
    """Some of the variables.

    >>> base = ArraysInMemory({'w': np.zeros(2), 'b': np.zeros(1)})
    >>> list(Chosen(base, ['b']))
    ['b']
    """

    def __init__(self, base: Arrays, names: Collection[str]):
        self._base = base
        self.shapes = {name: base.shapes[name] for name in names}
        self.dtypes = {name: base.dtypes[name] for name in names}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._base[name]


def check_readable(variables: Arrays) -> None:
    """Reads every variable once, one at a time.

    Raises:
      CheckpointError: names the first that is truncated or damaged.
    """
    for name in variables:
        variables[name]


def dtype_of(array: np.ndarray) -> tf.DType:
    """Element type of an array; text is an array of objects."""
    return tf.string if array.dtype == object else tf.as_dtype(array.dtype)
