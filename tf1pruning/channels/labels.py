"""Channel labels: integers on tensors, and which of them are the same channel.

A label is an integer. Labels that must be kept or removed together are unified: they
are one channel. Unifications are collected as arrays of pairs and resolved once at the
end, so that each one costs a NumPy call and not a Python loop.

Label 0 is special: it marks a position without a channel (a model input, the output of
an op without a rule, a spatial axis). It is frozen, and so is all that is unified with
it.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Tuple

import numpy as np

from tf1pruning.channels.registry import Unsupported
from tf1pruning.errors import GraphError

FIXED = 0
# Labels of one axis: a gigabyte.
_MOST = 1 << 27


@dataclasses.dataclass(frozen=True, eq=False)
class Channels:
    """Resolved labels.

    Attributes:
      of_label: `[labels]` channel of each label: its smallest label.
      reasons: frozen channel -> why, first reason first. Channel 0 is always frozen.
    """

    of_label: np.ndarray
    reasons: Dict[int, Tuple[str, ...]]


class LabelSpace:
    """Hands out labels and collects what is known about them."""

    def __init__(self) -> None:
        self._count = 1
        self._left: List[np.ndarray] = []
        self._right: List[np.ndarray] = []
        self._frozen: List[Tuple[np.ndarray, str]] = []

    def fresh(self, count: int) -> np.ndarray:
        """`[count]` labels that nothing else has.

        Raises:
          GraphError: if they would fill the memory.
        """
        if count > _MOST:
            raise GraphError(
                f'An axis has {count:,} channels; expected at most {_MOST:,}. The '
                'graph is damaged.'
            )
        labels = np.arange(self._count, self._count + count)
        self._count += count
        return labels

    def unify(self, left: np.ndarray, right: np.ndarray, reason: str) -> None:
        """Says that `left` and `right`, broadcast together, are the same channels.

        Where one side is fixed, the other is frozen with `reason`.

        Raises:
          Unsupported: if there are not as many on both sides.
        """
        if left is right:
            return
        try:
            left, right = np.broadcast_arrays(left, right)
        except ValueError:
            raise Unsupported(f'{left.shape} channels for {right.shape}') from None
        left, right = left.ravel(), right.ravel()
        one_fixed = (left == FIXED) != (right == FIXED)
        if one_fixed.any():
            self.freeze(np.maximum(left, right)[one_fixed], reason)
        differs = (left != right) & ~one_fixed
        if differs.any():
            self._left.append(left[differs])
            self._right.append(right[differs])

    def join(self, left: np.ndarray, right: np.ndarray, reason: str) -> np.ndarray:
        """Unifies two arrays of labels; returns those of the tensor that holds both.

        Where one side is fixed that is the other's label, which is frozen.

        Raises:
          Unsupported: if there are not as many on both sides.
        """
        self.unify(left, right, reason)
        return np.maximum(*np.broadcast_arrays(left, right))

    def freeze(self, labels: np.ndarray, reason: str) -> None:
        """Says that `labels` may not be removed, and why."""
        labels = np.unique(labels)
        labels = labels[labels != FIXED]
        if labels.size:
            self._frozen.append((labels, reason))

    def resolve(self) -> Channels:
        """Channels of all labels so far."""
        of_label = np.arange(self._count)
        if self._left:
            pairs = np.concatenate(self._left), np.concatenate(self._right)
            of_label = connected_components(self._count, *pairs)
        reasons: Dict[int, List[str]] = {}
        for labels, reason in self._frozen:
            for channel in np.unique(of_label[labels]):
                known = reasons.setdefault(int(channel), [])
                if reason not in known:
                    known.append(reason)
        return Channels(of_label, {c: tuple(r) for c, r in reasons.items()})


def connected_components(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Smallest member of each node's component, by hooking and pointer jumping.

    Args:
      count: number of nodes.
      left: `[edges]` one end of each edge.
      right: `[edges]` the other end.

    Returns:
      `[count]` the smallest node in the component of each node.

    >>> connected_components(5, np.array([1, 3]), np.array([2, 2])).tolist()
    [0, 1, 1, 1, 4]
    """
    parent = np.arange(count)
    while True:
        a, b = parent[left], parent[right]
        differs = a != b
        if not differs.any():
            return parent
        left, right, a, b = left[differs], right[differs], a[differs], b[differs]
        # Of several values for one place the last stays: the smallest. Many times
        # faster than np.minimum.at.
        lower = np.minimum(a, b)
        order = np.argsort(lower)[::-1]
        parent[np.maximum(a, b)[order]] = lower[order]
        while True:
            jumped = parent[parent]
            if np.array_equal(jumped, parent):
                break
            parent = jumped
