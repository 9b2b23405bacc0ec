"""What a trace finds: where every channel of a model lives."""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

import numpy as np

from tf1pruning.graph.inference_graph import InferenceGraph

PRODUCER = 'producer'
CONSUMER = 'consumer'
BIAS = 'bias'
SCALE = 'scale'
STATISTIC = 'statistic'
# The foremost first: a place that is used in several roles has the first of them.
ROLES = (PRODUCER, CONSUMER, SCALE, BIAS, STATISTIC)


class Use(NamedTuple):
    """An op reads a weight along an axis.

    Attributes:
      node: name of the op's node.
      source: node name of the weight.
      axis: axis of the weight that carries channels.
      role: PRODUCER (the axis makes channels), CONSUMER (it reads them), BIAS (added),
        SCALE (multiplied), STATISTIC (never zeroed: moving mean and variance).
      is_kept: whether zeros would not make the op's share zero, so that none are
        written: a kernel that is computed of the weight.
    """

    node: str
    source: str
    axis: int
    role: str
    is_kept: bool = False


class Kernel(NamedTuple):
    """A convolution or dense layer.

    Attributes:
      node: name of the op's node.
      op: its type.
      reads: number of the input that holds the channels it reads.
      source: node name of the kernel: of a variable, or of what computes it.
      positions: multiply-accumulates per kernel element and example (output pixels);
        None if the output size is not static.
      in_axis: axis of the kernel that reads channels; equal to `out_axis` if depthwise.
      out_axis: axis that makes channels.
      taps: spatial size of the kernel (1 for a dense layer).
      borders: whether outputs differ in how many taps reach them: at padded borders.
      rounds: whether the kernel is rounded to 16-bit floats.
      variable: the variable whose filters it has, as they are or computed; '' if there
        is no such one.
      share: how much of the source the op reads: less than 1 if only a part.
    """

    node: str
    op: str
    reads: int
    source: str
    positions: Optional[int]
    in_axis: int
    out_axis: int
    taps: int
    borders: bool
    rounds: bool
    variable: str
    share: float = 1.0

    @property
    def axes(self) -> Tuple[int, int]:
        """The axes of the kernel that read channels and make them."""
        return self.in_axis, self.out_axis

    @property
    def depthwise(self) -> bool:
        """Whether every channel has a kernel of its own."""
        return self.in_axis == self.out_axis


class Summation(NamedTuple):
    """An op sums over channels, so one can go if it adds nothing.

    Attributes:
      node: name of the op's node.
      reads: pairs of an input and the axis of it along which the channels lie; of
        several inputs the products are summed.
      labels: `[size]` labels (later channels) along these axes.
    """

    node: str
    reads: Tuple[Tuple[int, int], ...]
    labels: np.ndarray


class SizeUse(NamedTuple):
    """A constant size that must shrink with its channels.

    Attributes:
      consumer: node that reads the constant.
      position: number of the input by which it does.
      node: name of the Const node.
      element: which element of the constant.
      value: what it says now; a bound may be negative, or beyond the end.
      labels: labels (later channels) that it counts.
    """

    consumer: str
    position: int
    node: str
    element: int
    value: int
    labels: np.ndarray


class StatedShape(NamedTuple):
    """An attribute that states a shape, which is forgotten when channels go.

    Attributes:
      node: name of the node.
      attribute: name of the attribute.
      labels: labels (later channels) of the tensor that has the shape.
    """

    node: str
    attribute: str
    labels: np.ndarray


class IndexUse(NamedTuple):
    """Constant indices into an axis that must be counted again when channels go.

    Attributes:
      consumer: node that reads the constant.
      position: number of the input by which it does.
      node: name of the Const node.
      labels: labels (later channels) along the axis that is indexed.
    """

    consumer: str
    position: int
    node: str
    labels: np.ndarray


class Part(NamedTuple):
    """A part of a tensor, cut out along an axis, that must not become empty.

    Attributes:
      node: node that cuts it out.
      labels: labels (later channels) of the part.
    """

    node: str
    labels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """Where every channel of a model lives.

    Attributes:
      model: the model that was traced.
      weights: weight node -> per axis the `[size]` vector of channels; those that are
        computed, too.
      computed: nodes of weights that are computed from variables and constants alone.
      uses: in graph order.
      kernels: in graph order.
      summations: in graph order.
      sizes: constants that must shrink with their channels.
      stated: attributes that state the shape of a tensor with channels.
      indices: constants that index channels.
      parts: parts of tensors that must not become empty.
      count: of labels; every channel is smaller.
      frozen: channel -> reasons.
      unsupported: op types without a rule, in order of appearance.
      lost: layer whose channels could not be followed -> why.
      independent: nodes that depend on variables and constants alone.
    """

    model: InferenceGraph
    weights: Dict[str, Tuple[np.ndarray, ...]]
    computed: FrozenSet[str]
    uses: Tuple[Use, ...]
    kernels: Tuple[Kernel, ...]
    summations: Tuple[Summation, ...]
    sizes: Tuple[SizeUse, ...]
    stated: Tuple[StatedShape, ...]
    indices: Tuple[IndexUse, ...]
    parts: Tuple[Part, ...]
    count: int
    frozen: Dict[int, Tuple[str, ...]]
    unsupported: Tuple[str, ...]
    lost: Dict[str, str]
    independent: FrozenSet[str]

    @property
    def stored(self) -> Tuple[str, ...]:
        """The weights that are variables or constants."""
        return tuple(name for name in self.weights if name not in self.computed)

    def keys(self) -> Dict[str, str]:
        """Weight node -> checkpoint key; of a Const node its own name."""
        keys = self.model.keys()
        return {source: keys.get(source, source) for source in self.stored}
