"""Kernels that are made of variables without arithmetic: where each weight comes from.

A partitioned variable, a transpose, a reshape or a mask of ones and zeros hands on the
numbers of its variables. Such a kernel can be given other values through them. What
computes new numbers, as weight normalization does, cannot.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional

import numpy as np

from tf1pruning.channels.trace_result import Trace
from tf1pruning.surgery import computed

# Whole numbers that 32-bit floats tell apart.
_LARGEST = 1 << 24


@dataclasses.dataclass(frozen=True, eq=False)
class Carriers:
    """The variables that carry a computed kernel.

    Attributes:
      variables: nodes of the variables, in order.
      numbers: of the shape of the kernel: which element of the variables, laid end to
        end, each of its weights is; -1: none, it is fixed.
    """

    variables: List[str]
    numbers: np.ndarray

    def attainable(self, wanted: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """A kernel as near as the variables can make it; fixed weights stay."""
        found: np.ndarray = np.where(self.numbers >= 0, wanted, kernel)
        return found

    def carried(
        self, kernel: np.ndarray, arrays: Mapping[str, np.ndarray]
    ) -> Dict[str, np.ndarray]:
        """Variable node -> array that makes a kernel.

        Args:
          kernel: an attainable one.
          arrays: variable node -> array, for what the kernel does not read.
        """
        old = [arrays[name] for name in self.variables]
        flat = np.concatenate([array.ravel() for array in old])
        is_read = self.numbers >= 0
        flat[self.numbers[is_read]] = kernel[is_read]
        ends = np.cumsum([array.size for array in old])[:-1]
        parts = np.split(flat, ends)
        return {
            name: part.reshape(array.shape).astype(array.dtype)
            for name, part, array in zip(self.variables, parts, old)
        }


def carriers_of(trace: Trace, arrays: Mapping[str, np.ndarray]) -> Dict[str, Carriers]:
    """Node of a computed kernel -> its carriers, of those that have some.

    Args:
      trace: of the model.
      arrays: variable node -> array.
    """
    sources = {k.source for k in trace.kernels}.intersection(trace.computed)
    found = {source: _carriers(trace, source, arrays) for source in sorted(sources)}
    return {source: each for source, each in found.items() if each is not None}


def _carriers(
    trace: Trace, source: str, arrays: Mapping[str, np.ndarray]
) -> Optional[Carriers]:
    before = {node.name for node in trace.model.view().before([source])}
    variables = [
        variable.node
        for variable in trace.model.variables
        if variable.node in before and variable.trainable
    ]
    total = sum(arrays[name].size for name in variables)
    is_single = all(arrays[name].dtype == np.float32 for name in variables)
    if not variables or total >= _LARGEST or not is_single:
        return None
    # Another order tells numbers that are handed on from those that are computed.
    orders = [np.arange(total), np.arange(total)[::-1]]
    first, second = (
        _numbered(trace, source, variables, arrays, order) for order in orders
    )
    is_read = (first >= 1) & (first + second == total + 1)
    numbers = np.where(is_read, first - 1, -1).astype(np.int64)
    read = numbers[is_read]
    is_once = read.size == np.unique(read).size
    return Carriers(variables, numbers) if read.size and is_once else None


def _numbered(
    trace: Trace,
    source: str,
    variables: List[str],
    arrays: Mapping[str, np.ndarray],
    order: np.ndarray,
) -> np.ndarray:
    """The kernel that variables give whose elements are numbered from 1."""
    given = dict(arrays)
    start = 0
    for name in variables:
        size = arrays[name].size
        numbers = 1 + order[start : start + size]
        given[name] = numbers.reshape(arrays[name].shape).astype(np.float32)
        start += size
    return computed.value(trace, source, given)
