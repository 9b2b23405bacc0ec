"""Ops that write zeros at the cuts of a plan into the variables of a live graph.

They touch nothing but the cuts (`scatter_nd_update`): what other workers write at the
same time elsewhere in a variable is not lost, and writing twice does no harm.
"""

from __future__ import annotations

from typing import Collection, Dict, FrozenSet, List, Mapping, NamedTuple, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.plan import Plan
from tf1pruning.training import graph_variables
from tf1pruning.training.graph_variables import Axis, Part, Parts


class _Update(NamedTuple):
    """What zeroes slices of a variable: where, and with what."""

    indices: tf.Tensor
    updates: tf.Tensor


class Eraser:
    """Zeroes what a plan zeroes, and the optimizer slots with it.

    Args:
      plan: what to zero.
      parts: variables of the graph, by checkpoint key.
      replaceable: whether other plans of the same groups are to be fed.

    Attributes:
      all: op that zeroes everything.
      in_loops: ops that write and that nothing can wait for.
    """

    def __init__(self, plan: Plan, parts: Parts, replaceable: bool):
        self._shapes = graph_variables.shapes_of(parts)
        self._after: Dict[tf.Operation, List[tf.Operation]] = {}
        self._masks: Dict[Axis, tf.Tensor] = {}
        now: List[tf.Operation] = []
        loops: Set[tf.Operation] = set()
        with tf.name_scope('pruning_hook'):
            for place, mask in masks(plan, self._shapes).items():
                self._masks[place] = _tensor(mask, replaceable)
            for part, update in self._updates(plan, parts):
                for op in part.ops:
                    now.append(_erase(op, update))
                    for writer in graph_variables.find_writers(
                        op, part.variable.initializer
                    ):
                        if writer.in_loop:
                            loops.add(writer.op)
                            continue
                        with tf.control_dependencies([writer.op]):
                            erase = _erase(op, update)
                        self._after.setdefault(writer.op, []).append(erase)
            self.all = tf.group(*now)
        self.in_loops: FrozenSet[tf.Operation] = frozenset(loops)

    def _updates(self, plan: Plan, parts: Parts) -> List[Tuple[Part, _Update]]:
        """Parts of weights and slots, each with what zeroes it."""
        slots = graph_variables.find_slots(parts, plan)
        found = []
        for (key, axis), mask in self._masks.items():
            updates: Dict[
                Tuple[graph_variables.Shape, graph_variables.Shape, tf.DType], _Update
            ] = {}
            for name in [key, *(slot for slot in slots if slots[slot] == key)]:
                for part in parts[name]:
                    alike = (part.offset, part.shape, part.variable.dtype.base_dtype)
                    if alike not in updates:
                        updates[alike] = _update(part, axis, mask)
                    found.append((part, updates[alike]))
        return found

    def after(self, running: Collection[tf.Operation]) -> List[tf.Operation]:
        """Ops that zero what some ops write, and that run after them."""
        return [op for writer in running for op in self._after.get(writer, ())]

    def feeds(self, plan: Plan) -> Dict[tf.Tensor, np.ndarray]:
        """Feeds with which another plan of the groups is zeroed."""
        found = masks(plan, self._shapes)
        return {tensor: found[axis] for axis, tensor in self._masks.items()}


def masks(
    plan: Plan, shapes: Mapping[str, graph_variables.Shape]
) -> Dict[Axis, np.ndarray]:
    """(Variable, axis) -> `[size of axis]` whether a position is zeroed."""
    found: Dict[Axis, np.ndarray] = {}
    for cut in plan.zeroed_cuts:
        size = shapes[cut.variable][cut.axis]
        mask = found.setdefault((cut.variable, cut.axis), np.zeros(size, bool))
        mask[list(cut.indices)] = True
    return found


def _tensor(mask: np.ndarray, replaceable: bool) -> tf.Tensor:
    if replaceable:
        return tf.placeholder_with_default(mask, mask.shape)
    return tf.constant(mask)


def _update(part: Part, axis: int, mask: tf.Tensor) -> _Update:
    """Zeroes the positions of an axis that lie in a part."""
    start, size = part.offset[axis], part.shape[axis]
    own = tf.reshape(tf.slice(mask, [start], [size]), [1] * axis + [size])
    indices = tf.where(tf.broadcast_to(own, part.shape[: axis + 1]))
    inner = tf.constant(part.shape[axis + 1 :], tf.int32)
    count = tf.slice(tf.shape(indices), [0], [1])
    shape = tf.concat([count, inner], axis=0)
    return _Update(indices, tf.zeros(shape, part.variable.dtype.base_dtype))


def _erase(op: tf.Operation, update: _Update) -> tf.Operation:
    arguments = {'ref': op.outputs[0], **update._asdict()}
    if op.outputs[0].dtype == tf.resource:
        return tf.raw_ops.ResourceScatterNdUpdate(**arguments)
    return tf.raw_ops.ScatterNdUpdate(**arguments).op
