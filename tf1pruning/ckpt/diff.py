"""Two checkpoints compared, variable by variable; only one is in memory at a time.

A filter is a slice along the last axis of a kernel, or along the one before where the
last has size 1 (a depthwise kernel): names alone do not say more.
"""

from __future__ import annotations

import dataclasses
from typing import Iterator, Optional, Tuple

import numpy as np

from tf1pruning.ckpt.arrays import Arrays, Shape

ONLY_FIRST = 'only in A'
ONLY_SECOND = 'only in B'
SHAPE = 'other shape'
DTYPE = 'other type'
VALUES = 'other values'
SAME = 'same'


@dataclasses.dataclass(frozen=True)
class Side:
    """A variable in one of the checkpoints.

    Attributes:
      shape: its shape.
      dtype: name of its element type.
      size: bytes.
      sparsity: share of zeros; None if it is empty or no number.
      zero_filters: filters that are all zero; None if it has no filters.
    """

    shape: Shape
    dtype: str
    size: int
    sparsity: Optional[float]
    zero_filters: Optional[int]


@dataclasses.dataclass(frozen=True)
class VariableDiff:
    """A variable in both checkpoints.

    Attributes:
      name: of the variable.
      state: one of the constants of this module.
      first: in A; None if it is not there.
      second: in B; None if it is not there.
      largest: largest difference of an element; infinite where only one is finite; None
        if the two cannot be compared.
      relative: that difference over the largest magnitude in either.
    """

    name: str
    state: str
    first: Optional[Side]
    second: Optional[Side]
    largest: Optional[float]
    relative: Optional[float]

    @property
    def size(self) -> int:
        """Bytes of the larger side."""
        return max(side.size for side in (self.first, self.second) if side)


def compare(first: Arrays, second: Arrays) -> Iterator[VariableDiff]:
    """Compares checkpoints A and B, the largest variable first.

    Raises:
      CheckpointError: if a variable cannot be read.
    """
    found = set(first.shapes) | set(second.shapes)
    sizes = {n: max(first.nbytes_of(n), second.nbytes_of(n)) for n in found}
    for name in sorted(found, key=lambda n: (-sizes[n], n)):
        yield _compare(name, first, second)


def _compare(name: str, first: Arrays, second: Arrays) -> VariableDiff:
    a = first[name] if name in first.shapes else None
    b = second[name] if name in second.shapes else None
    largest = relative = None
    if a is not None and b is not None and a.shape == b.shape and _numbers(a, b):
        largest, relative = _difference(a, b)
    return VariableDiff(
        name=name,
        state=_state(a, b, largest),
        first=_side(a, first, name),
        second=_side(b, second, name),
        largest=largest,
        relative=relative,
    )


def _numbers(*arrays: np.ndarray) -> bool:
    return all(array.dtype.kind != 'O' for array in arrays)


def _state(
    a: Optional[np.ndarray], b: Optional[np.ndarray], largest: Optional[float]
) -> str:
    if a is None:
        return ONLY_SECOND
    if b is None:
        return ONLY_FIRST
    if a.shape != b.shape:
        return SHAPE
    if a.dtype != b.dtype:
        return DTYPE
    same = largest == 0 if largest is not None else a.tolist() == b.tolist()
    return SAME if same else VALUES


def _side(array: Optional[np.ndarray], arrays: Arrays, name: str) -> Optional[Side]:
    if array is None:
        return None
    countable = array.size > 0 and _numbers(array)
    return Side(
        shape=array.shape,
        dtype=arrays.dtypes[name].name,
        size=arrays.nbytes_of(name),
        sparsity=1 - np.count_nonzero(array) / array.size if countable else None,
        zero_filters=_zero_filters(array) if countable and array.ndim > 1 else None,
    )


def _zero_filters(array: np.ndarray) -> int:
    axis = array.ndim - (2 if array.shape[-1] == 1 else 1)
    other = tuple(a for a in range(array.ndim) if a != axis)
    return int((~(array != 0).any(axis=other)).sum())


def _difference(a: np.ndarray, b: np.ndarray) -> Tuple[float, float]:
    """Largest difference, and its share of the largest magnitude."""
    kind = np.complex128 if 'c' in (a.dtype.kind, b.dtype.kind) else np.float64
    wide, other = a.astype(kind), b.astype(kind)
    with np.errstate(invalid='ignore'):
        difference = np.abs(wide - other)
    alike = (wide == other) | (np.isnan(wide) & np.isnan(other))
    difference = np.where(np.isnan(difference), np.inf, difference)
    difference = np.where(alike, 0.0, difference)
    largest = float(difference.max(initial=0))
    scale = float(max(np.abs(x).max(initial=0) for x in (wide, other)))
    return largest, largest / scale if scale and np.isfinite(largest) else largest
