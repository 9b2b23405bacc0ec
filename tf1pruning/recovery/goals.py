"""What a layer should make, so that what is behind it makes what it did.

Where other branches are added to what a layer makes, the layer makes up for the errors
of those, too, as in channel pruning (He et al., arXiv 1707.06168, section 3.3).

Of what a ReLU cuts off only the side counts: where it made zero in the unpruned
network, any value below will do, so least squares need not spend weights on it. What is
asked for instead is the nearest value that will do, as seen from what the layer makes
so far; each such round lowers an error that is convex. To fit what passes the ReLU
comes from Zhang et al., arXiv 1505.06798.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Collection, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef
from tf1pruning.recovery.layers import Form, Layer

# What they cut off above.
_MOST = {'Relu': np.inf, 'Relu6': 6.0}
_SUMS = ('Add', 'AddV2', 'AddN')
# Nodes of a bias, a batch norm and a sum, however they are built.
_FARTHEST = 10
# Share of the largest value by which a straight line may miss what is at its end.
_ROUNDING = 1e-3
# The least share of the variance of a sum that a layer has in a channel, to make up for
# the other branches there.
_LEAST_SHARE = 1e-3

# A tensor -> `[systems, rows, outputs]` of it, at the pixels and channels of a layer.
RowsOf = Callable[[TensorRef], np.ndarray]


class Behind(NamedTuple):
    """Where all goes that a layer makes, each channel by itself.

    Attributes:
      line: the tensor up to which a channel is a straight line of what is made.
      end: the last tensor: a sum of `line` and of other branches, or `line` itself.
      others: the tensors that are added.
      most: above which a ReLU that reads `end` cuts off; None: there is no ReLU.
    """

    line: TensorRef
    end: TensorRef
    others: Tuple[TensorRef, ...]
    most: Optional[float]


def find(
    view: view_lib.GraphView,
    layer: Layer,
    outputs: Collection[str],
    moving: Collection[str],
) -> Optional[Behind]:
    """What is behind a layer; None if that is neither a sum nor a ReLU.

    Args:
      view: of the network.
      layer: the layer.
      outputs: nodes whose answers count.
      moving: nodes that depend on the input.
    """
    line = end = layer.y
    others: List[TensorRef] = []
    for _ in range(_FARTHEST):
        edges = view.consumers(end.node)
        if len(edges) != 1 or end.node in outputs:
            break
        node = edges[0].node
        if node.op in _MOST:
            return Behind(line, end, tuple(others), _MOST[node.op])
        added = [ref for ref in view.refs(node) if ref.node in moving and ref != end]
        if others and node.op != 'Identity' and not (added and node.op in _SUMS):
            break
        end = TensorRef(node.name, 0)
        if added and node.op in _SUMS:
            others += added
        elif not others:
            line = end
    return Behind(line, end, tuple(others), None) if others else None


class Made(NamedTuple):
    """What a layer should make, row by row.

    Attributes:
      wanted: `[systems, rows, outputs]`.
      zero: `[systems, rows, outputs]` what it makes where the ReLU behind it reads
        zero; None: the same in each row, or there is no ReLU.
    """

    wanted: np.ndarray
    zero: Optional[np.ndarray] = None


class CutOff(NamedTuple):
    """Beyond which it does not matter what a layer makes, before bias and batch norm.

    Attributes:
      low: `[systems, rows or 1, outputs]`.
      high: the same.
    """

    low: np.ndarray
    high: np.ndarray

    def nearest(self, wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
        """What will do and is the nearest to what is found.

        Args:
          wanted: `[systems, rows, outputs]` what the layer should make.
          found: what the layer makes so far.

        >>> cut_off = CutOff(np.zeros([1, 1, 1]), np.full([1, 1, 1], 6.0))
        >>> wanted = np.array([-1.0, -1.0, 2.0, 8.0]).reshape(1, 4, 1)
        >>> found = np.array([-3.0, 3.0, -3.0, 7.0]).reshape(1, 4, 1)
        >>> cut_off.nearest(wanted, found).ravel().tolist()
        [-3.0, 0.0, 2.0, 7.0]
        """
        below = np.where(wanted < self.low, np.minimum(found, self.low), wanted)
        return np.where(wanted > self.high, np.maximum(found, self.high), below)


@dataclasses.dataclass(frozen=True, eq=False)
class Goal:
    """How what a layer makes is counted by what is behind it.

    Attributes:
      y: what the layer makes in the unpruned network.
      end: see `Behind`.
      now: what the layer makes, and the end, in the network whose other branches count;
        None: there are none.
      slope: `[systems, 1, outputs]` by how much each output changes where the end does
        by one; 0 where the end hardly depends on it.
      zero: `[systems, 1, outputs]` what the layer makes where the end is zero, if there
        are no other branches.
      most: see `Behind`.
    """

    y: TensorRef
    end: TensorRef
    now: Optional[Tuple[TensorRef, TensorRef]]
    slope: np.ndarray
    zero: np.ndarray
    most: Optional[float]

    @property
    def worth(self) -> np.ndarray:
        """`[systems, outputs]` what the squared errors of each output count behind."""
        slope = self.slope[:, 0]
        found = np.where(slope == 0, 0, 1 / np.where(slope == 0, 1, slope) ** 2)
        return found if found.any() else np.ones_like(found)

    @property
    def refs(self) -> List[TensorRef]:
        """The tensors that say what the layer should make."""
        return [self.y] if self.now is None else [self.y, self.end, *self.now]

    def made(self, rows: RowsOf) -> Made:
        """What the layer should make.

        Args:
          rows: of one batch.
        """
        y = rows(self.y)
        if self.now is None:
            return Made(y)
        made, end = map(rows, self.now)
        zero = made - end * self.slope
        wanted = np.where(self.slope == 0, y, zero + rows(self.end) * self.slope)
        return Made(wanted, None if self.most is None else zero)

    def cut_off(self, zero: Optional[np.ndarray]) -> CutOff:
        """Where the ReLU cuts off, in the terms of the layer.

        Args:
          zero: of `Made`.
        """
        zero = self.zero if zero is None else zero
        with np.errstate(invalid='ignore'):
            other = zero + self.slope * (np.inf if self.most is None else self.most)
        low, high = np.fmin(zero, other), np.fmax(zero, other)
        none = self.slope == 0
        return CutOff(np.where(none, -np.inf, low), np.where(none, np.inf, high))


def goal(
    behind: Behind,
    layer: Layer,
    form: Form,
    values: Mapping[TensorRef, np.ndarray],
    now: Optional[Tuple[TensorRef, TensorRef]],
) -> Optional[Goal]:
    """What a layer should make; None if that is what it made.

    Args:
      behind: where it goes.
      layer: the layer.
      form: of its kernel.
      values: of a batch, in the unpruned network.
      now: see `Goal`.

    Returns:
      None also where `line` is not, channel by channel, a straight line.
    """
    y, line, end = (values[ref] for ref in (layer.y, behind.line, behind.end))
    if not y.shape == line.shape == end.shape:
        return None
    made, passed, last = (
        layer.images(each)[..., form.y_channels]
        .reshape(-1, len(form.y_channels))
        .astype(np.float64)
        for each in (y, line, end)
    )
    mean, rest = made.mean(axis=0), made - made.mean(axis=0)
    power = np.square(rest).sum(axis=0)
    slope = (rest * passed).sum(axis=0) / np.where(power > 0, power, 1)
    offset = passed.mean(axis=0) - slope * mean
    limit = _ROUNDING * np.abs(passed).max(initial=0)
    if np.abs(made * slope + offset - passed).max(initial=0) > limit:
        return None
    whole = np.square(last - last.mean(axis=0)).sum(axis=0)
    counts = np.square(slope) * power > _LEAST_SHARE * whole
    inverse = np.where(counts, 1 / np.where(counts, slope, 1), 0)

    def shaped(each: np.ndarray) -> np.ndarray:
        # In the precision of what the layer makes, so that products stay in it.
        return each.reshape(form.systems, 1, -1).astype(y.dtype)

    return Goal(
        y=layer.y,
        end=behind.end,
        now=now if behind.others else None,
        slope=shaped(inverse),
        zero=shaped(-offset * inverse),
        most=behind.most,
    )


class SoFar(NamedTuple):
    """What a layer makes so far, and what of it matters.

    Attributes:
      goal: what it should make.
      weights: `[systems, inputs, outputs]`.
      intercept: `[systems, 1, outputs]`, which is in the bias already.
    """

    goal: Goal
    weights: np.ndarray
    intercept: np.ndarray

    def wanted(self, rows: np.ndarray, made: Made) -> np.ndarray:
        """What the layer should make, without the intercept so far.

        Args:
          rows: `[systems, rows, inputs]` what it reads.
          made: what it should make.
        """
        found = np.matmul(rows, self.weights) + self.intercept
        cut_off = self.goal.cut_off(made.zero)
        wanted: np.ndarray = cut_off.nearest(made.wanted, found) - self.intercept
        return wanted
