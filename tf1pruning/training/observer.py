"""Measures a plan in a live graph: norms of filters, and zeros that did not stay."""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels.trace_result import PRODUCER
from tf1pruning.plan import Cut, Plan
from tf1pruning.surgery import failure
from tf1pruning.surgery.failure import FailureReport
from tf1pruning.training import graph_variables
from tf1pruning.training.graph_variables import Axis, Parts


@dataclasses.dataclass(frozen=True, eq=False)
class Observation:
    """A plan measured at one step.

    Attributes:
      failures: planned zeros that are not zero.
      norms: group -> `[size of axis]` L2 norms of the filters of its first producer,
        for the groups that the plan cuts.
      planned: group -> `[size of axis]` whether a filter is planned to be zero.
    """

    failures: FailureReport
    norms: Dict[str, np.ndarray]
    planned: Dict[str, np.ndarray]


class Observer:
    """Reads what a plan is judged by; the variables stay where they are.

    Args:
      plan: fixes the groups.
      parts: variables of the graph, by checkpoint key.
    """

    def __init__(self, plan: Plan, parts: Parts):
        self._parts = parts
        zeroed = {(cut.variable, cut.axis) for cut in plan.zeroed_cuts}
        made = {(cut.variable, cut.axis) for cut in first_producers(plan).values()}
        with tf.name_scope('pruning_hook'):
            self._alive = {axis: self._reduced(axis, _any) for axis in sorted(zeroed)}
            self._squares = {axis: self._reduced(axis, _sum) for axis in sorted(made)}

    def observe(self, session: tf.Session, plan: Plan) -> Observation:
        """Measures a plan of the groups now."""
        alive, squares = session.run([self._alive, self._squares])
        joined = {axis: self._joined(axis, found) > 0 for axis, found in alive.items()}
        failures = failure.count_alive(plan, lambda cut: joined[cut.variable, cut.axis])
        norms, planned = {}, {}
        for name, cut in first_producers(plan).items():
            axis = (cut.variable, cut.axis)
            norms[name] = np.sqrt(self._joined(axis, squares[axis]))
            planned[name] = np.isin(np.arange(len(norms[name])), cut.indices)
        return Observation(failures, norms, planned)

    def _reduced(
        self, axis: Axis, reduce: Callable[[tf.Tensor, Sequence[int]], tf.Tensor]
    ) -> List[tf.Tensor]:
        """Per part of a variable one value per position of an axis."""
        name, kept = axis
        return [
            reduce(
                graph_variables.read(part),
                [a for a in range(len(part.shape)) if a != kept],
            )
            for part in self._parts[name]
        ]

    def _joined(self, axis: Axis, values: Sequence[np.ndarray]) -> np.ndarray:
        """Values of the parts added up along an axis of the whole variable."""
        name, kept = axis
        parts = self._parts[name]
        whole = np.zeros(parts[0].full_shape[kept])
        for part, value in zip(parts, values):
            start = part.offset[kept]
            whole[start : start + part.shape[kept]] += value
        return whole


def first_producers(plan: Plan) -> Dict[str, Cut]:
    """Group -> the cut of its first producer, for the groups that are cut."""
    found: Dict[str, Cut] = {}
    for group in plan.groups:
        for cut in group.cuts:
            if cut.role == PRODUCER:
                found.setdefault(group.name, cut)
    return found


def _any(value: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    return tf.reduce_any(tf.not_equal(value, tf.zeros([], value.dtype)), axes)


def _sum(value: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    return tf.reduce_sum(tf.square(tf.cast(value, tf.float32)), axes)
