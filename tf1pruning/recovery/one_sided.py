"""What a ReLU behind a layer cuts off: of that only the side counts.

Where the unpruned layer made what the ReLU turns into zero, any value below will do, so
least squares need not spend weights on it. What is asked for instead is the nearest
value that will do, as seen from what the layer makes so far; each such round lowers an
error that is convex. To fit what passes the ReLU comes from Zhang et al., arXiv
1505.06798.
"""

from __future__ import annotations

from typing import Collection, Mapping, NamedTuple, Optional

import numpy as np

from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef
from tf1pruning.recovery.layers import Form, Layer

# What they cut off above.
_MOST = {'Relu': np.inf, 'Relu6': 6.0}
# Nodes of a bias and a batch norm, however they are built.
_FARTHEST = 8
# Share of the largest value by which a straight line may miss what a ReLU reads.
_ROUNDING = 1e-3


class Activation(NamedTuple):
    """A ReLU behind a layer.

    Attributes:
      reads: the tensor that it reads.
      most: above which it cuts off.
    """

    reads: TensorRef
    most: float


class Limits(NamedTuple):
    """Beyond which it does not matter what a layer makes, before bias and batch norm.

    Attributes:
      low: `[systems, 1, outputs]`.
      high: the same.
    """

    low: np.ndarray
    high: np.ndarray

    def nearest(self, wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
        """What will do and is the nearest to what is found.

        Args:
          wanted: `[systems, rows, outputs]` what the unpruned layer made.
          found: what the layer makes so far.

        >>> limits = Limits(np.zeros([1, 1, 1]), np.full([1, 1, 1], 6.0))
        >>> wanted = np.array([-1.0, -1.0, 2.0, 8.0]).reshape(1, 4, 1)
        >>> found = np.array([-3.0, 3.0, -3.0, 7.0]).reshape(1, 4, 1)
        >>> limits.nearest(wanted, found).ravel().tolist()
        [-3.0, 0.0, 2.0, 7.0]
        """
        below = np.where(wanted < self.low, np.minimum(found, self.low), wanted)
        return np.where(wanted > self.high, np.maximum(found, self.high), below)


class SoFar(NamedTuple):
    """What a layer makes so far, and what of it matters.

    Attributes:
      limits: beyond which it does not.
      weights: `[systems, inputs, outputs]`.
      intercept: `[systems, 1, outputs]`, which is in the bias already.
    """

    limits: Limits
    weights: np.ndarray
    intercept: np.ndarray

    def wanted(self, rows: np.ndarray, made: np.ndarray) -> np.ndarray:
        """What the layer should make, without the intercept so far.

        Args:
          rows: `[systems, rows, inputs]` what it reads.
          made: `[systems, rows, outputs]` what it made in the unpruned network.
        """
        found = np.matmul(rows, self.weights) + self.intercept
        wanted: np.ndarray = self.limits.nearest(made, found) - self.intercept
        return wanted


def activation(
    view: view_lib.GraphView, layer: Layer, outputs: Collection[str]
) -> Optional[Activation]:
    """The ReLU through which all that a layer makes goes; None if there is none.

    Args:
      view: of the network.
      layer: the layer.
      outputs: nodes whose answers count.
    """
    name = layer.kernel.node
    for _ in range(_FARTHEST):
        edges = view.consumers(name)
        if len(edges) != 1 or name in outputs:
            return None
        node = edges[0].node
        if node.op in _MOST:
            return Activation(view.refs(node)[0], _MOST[node.op])
        name = node.name
    return None


def limits(
    behind: Activation,
    layer: Layer,
    form: Form,
    values: Mapping[TensorRef, np.ndarray],
) -> Optional[Limits]:
    """Where a ReLU cuts off what a layer makes.

    Args:
      behind: the ReLU.
      layer: the layer.
      form: of its kernel.
      values: of a batch, in the unpruned network.

    Returns:
      None if what the ReLU reads is not, channel by channel, a straight line of what
      the layer makes.
    """
    y, read = values[layer.y], values[behind.reads]
    if y.shape != read.shape:
        return None
    made, passed = (
        layer.images(each)[..., form.y_channels]
        .reshape(-1, len(form.y_channels))
        .astype(np.float64)
        for each in (y, read)
    )
    mean, rest = made.mean(axis=0), made - made.mean(axis=0)
    power = np.square(rest).sum(axis=0)
    slope = (rest * passed).sum(axis=0) / np.where(power > 0, power, 1)
    offset = passed.mean(axis=0) - slope * mean
    limit = _ROUNDING * np.abs(passed).max(initial=0)
    if np.abs(made * slope + offset - passed).max(initial=0) > limit:
        return None
    # A channel that does not vary has no limits.
    divisor = np.where(slope == 0, 1, slope)
    ends = np.stack([-offset, behind.most - offset]) / divisor
    low = np.where(slope == 0, -np.inf, ends.min(axis=0))
    high = np.where(slope == 0, np.inf, ends.max(axis=0))
    # In the precision of what the layer makes, so that products stay in it.
    shape = (form.systems, 1, -1)
    return Limits(*(each.reshape(shape).astype(y.dtype) for each in (low, high)))
