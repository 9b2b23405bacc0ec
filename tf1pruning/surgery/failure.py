"""Failure rate: how many planned zeros did not stay zero during retraining."""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Iterable, List, Tuple

import numpy as np

from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.plan import Cut, Plan
from tf1pruning.surgery import soft


@dataclasses.dataclass(frozen=True)
class Count:
    """How many pairs of place and channel were planned, and how many are not zero."""

    planned: int
    failed: int

    @property
    def rate(self) -> float:
        """Share of failed pairs; 0.0 if nothing was planned."""
        return self.failed / self.planned if self.planned else 0.0


@dataclasses.dataclass(frozen=True)
class FailureReport:
    """Counts per variable axis and per group.

    Attributes:
      variables: (variable, axis) -> count.
      groups: group name -> count.
    """

    variables: Dict[Tuple[str, int], Count]
    groups: Dict[str, Count]

    @property
    def total(self) -> Count:
        """Sum over all groups."""
        return _sum(self.groups.values())


def count_failures(checkpoint: Arrays, plan: Plan) -> FailureReport:
    """Counts the places of a plan that are not zero in a checkpoint.

    Args:
      checkpoint: the retrained checkpoint.
      plan: what was zeroed.

    Raises:
      PlanError: if the plan does not fit the checkpoint.
    """
    soft.check_cuts(plan.zeroed_cuts, checkpoint.shapes)
    return count_alive(plan, lambda cut: _alive(checkpoint[cut.variable], cut.axis))


def count_alive(plan: Plan, alive: Callable[[Cut], np.ndarray]) -> FailureReport:
    """Counts the places of a plan that are not zero.

    Args:
      plan: what was zeroed.
      alive: cut -> `[size of its axis]` whether a position of the axis is not zero.
    """
    zeroed = set(plan.zeroed_cuts)
    variables: Dict[Tuple[str, int], List[Count]] = {}
    groups: Dict[str, Count] = {}
    for group in plan.groups:
        counts = []
        for cut in group.cuts:
            if cut not in zeroed:
                continue
            count = _count(alive(cut), cut)
            variables.setdefault((cut.variable, cut.axis), []).append(count)
            counts.append(count)
        groups[group.name] = _sum(counts)
    return FailureReport({key: _sum(c) for key, c in variables.items()}, groups)


def _alive(array: np.ndarray, axis: int) -> np.ndarray:
    other = tuple(a for a in range(array.ndim) if a != axis)
    return (array != 0).any(axis=other)


def _count(alive: np.ndarray, cut: Cut) -> Count:
    failed = sum(bool(alive[list(entry)].any()) for entry in cut.entries)
    return Count(planned=len(cut.entries), failed=failed)


def _sum(counts: Iterable[Count]) -> Count:
    items = list(counts)
    return Count(sum(c.planned for c in items), sum(c.failed for c in items))
