"""What the trace knows about a tensor.

Six kinds of value flow along the edges of a graph:

- `Activation`: depends on the input. Its labels are an integer array of the tensor's
  rank, with size 1 on the axes along which they do not change.
- `Weight`: a variable, a constant used as one, or what is computed from these alone and
  has several long axes, as a masked kernel does. One label vector per axis.
- `Constant`: a constant whose role is not known yet.
- `Sizes`: an array of whole numbers, such as a shape, each fixed by some constant,
  taken from a tensor at run time, or computed.
- `Elements`: a list of tensors (a TensorArray), filled at once.
- `Unranked`: a tensor of which not even the rank is known. No rule sees it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Collection, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.channels.labels import FIXED
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace_result import CONSUMER, PRODUCER, SCALE, STATISTIC
from tf1pruning.graph import nodes
from tf1pruning.graph.view import Shape


@dataclasses.dataclass(frozen=True, eq=False)
class Activation:
    """A tensor that depends on the model's input.

    Attributes:
      shape: static shape, None where unknown. A size that TensorFlow does not know but
        the labels do is filled in.
      labels: array of the same rank; each axis has size 1 or the tensor's size.

    Raises:
      Unsupported: if labels and shape do not fit: the graph's own sizes do not.
    """

    shape: Shape
    labels: np.ndarray

    def __post_init__(self) -> None:
        known = tuple(
            size if dim is None and size > 1 else dim
            for size, dim in zip(self.labels.shape, self.shape)
        )
        if not layout.fits(self.labels.shape, self.shape):
            raise Unsupported(
                f'channels along {self.labels.shape} in a tensor {self.shape}'
            )
        object.__setattr__(self, 'shape', known)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return self.labels.ndim

    def varies(self, axis: int) -> bool:
        """Whether the labels change along an axis."""
        return self.labels.shape[axis] > 1

    def channels(self, axis: int) -> np.ndarray:
        """`[size]` labels along an axis.

        Raises:
          Unsupported: if they change along another axis, or the size is unknown.
        """
        if any(self.varies(a) for a in range(self.rank) if a != axis):
            raise Unsupported('channels along another axis')
        size = self.shape[axis]
        if size is None:
            raise Unsupported('an unknown number of channels')
        return np.broadcast_to(self.labels.ravel(), (size,))


class IfZero(enum.Enum):
    """What zeros in a variable make of the slice of a weight that is computed of it.

    Attributes:
      ZERO: zeros.
      OTHER: other numbers.
      POLE: infinity or NaN, as in `v / norm(v)`.
    """

    ZERO = 'zero'
    OTHER = 'other'
    POLE = 'pole'


class Carrier(NamedTuple):
    """An axis of a variable (or Const node) that a weight follows along its own axis.

    Attributes:
      source: node name of the variable.
      axis: axis of the variable.
      is_kernel: whether the variable has several long axes: it is no vector of scales.
      if_zero: what zeros on the variable's axis make of the weight.
    """

    source: str
    axis: int
    is_kernel: bool
    if_zero: IfZero = IfZero.ZERO


@dataclasses.dataclass(frozen=True, eq=False)
class Weight:
    """A variable, a constant that acts as one, or what is computed from these alone.

    Attributes:
      source: name of the variable or Const node, or of the node that computes it.
      shape: static shape, as seen here: a weight may have been transposed.
      axes: one `[size]` label vector per axis.
      source_axes: the axis of the source that each axis is; None for an axis of size 1
        that the source lacks.
      carriers: per axis, the axes of variables that it follows; a variable carries
        itself, and nothing carries an axis of a computed weight that was not followed.
      is_computed: whether the source computes it.
      rounds: whether it was rounded to 16-bit floats.
      share: how large a part of the source this is.
    """

    source: str
    shape: Tuple[int, ...]
    axes: Tuple[np.ndarray, ...]
    source_axes: Tuple[Optional[int], ...]
    carriers: Tuple[Tuple[Carrier, ...], ...]
    is_computed: bool = False
    rounds: bool = False
    share: float = 1.0

    @property
    def long_axes(self) -> Tuple[int, ...]:
        """The axes along which there is more than one position."""
        return _long_axes(self.shape)

    def main_carriers(self, axis: int, trainable: Collection[str]) -> List[Carrier]:
        """The variables that hold the values along an axis, and no scales of them."""
        found = [each for each in self.carriers[axis] if each.is_kernel]
        trained = [each for each in found if each.source in trainable]
        return trained or found or list(self.carriers[axis])

    def variable(self, axis: int, trainable: Collection[str]) -> str:
        """The first of the main carriers of an axis; '' if it has none."""
        found = self.main_carriers(axis, trainable)
        return found[0].source if found else ''

    def role_of(
        self, carrier: Carrier, axis: int, role: str, trainable: Collection[str]
    ) -> str:
        """What a variable is to an op for which the weight has a role."""
        if not self.is_computed:
            return role
        if role in (PRODUCER, CONSUMER):
            if carrier in self.main_carriers(axis, trainable):
                return role
            role = SCALE if role == PRODUCER else STATISTIC
        is_zeroed = carrier.source in trainable and carrier.if_zero == IfZero.ZERO
        return role if is_zeroed else STATISTIC

    def part(self, axis: int, labels: np.ndarray) -> Weight:
        """The part of the weight that has these labels along an axis."""
        whole = self.shape[axis]
        return dataclasses.replace(
            self,
            shape=(*self.shape[:axis], len(labels), *self.shape[axis + 1 :]),
            axes=(*self.axes[:axis], labels, *self.axes[axis + 1 :]),
            share=self.share * len(labels) / whole,
        )

    def view(self, axes: Sequence[Optional[int]]) -> Weight:
        """The same weight with its axes in another order; None inserts a new one."""
        fixed = np.full(1, FIXED)
        return dataclasses.replace(
            self,
            shape=tuple(1 if a is None else self.shape[a] for a in axes),
            axes=tuple(fixed if a is None else self.axes[a] for a in axes),
            source_axes=tuple(None if a is None else self.source_axes[a] for a in axes),
            carriers=tuple(() if a is None else self.carriers[a] for a in axes),
        )


@dataclasses.dataclass(frozen=True)
class Constant:
    """A Const node; its value is decoded when asked for."""

    node: tf.NodeDef

    @property
    def value(self) -> np.ndarray:
        """The constant's array."""
        return nodes.constant_value(self.node)

    @property
    def shape(self) -> Tuple[int, ...]:
        """Its shape, without decoding the value."""
        dims = self.node.attr['value'].tensor.tensor_shape.dim
        return tuple(dim.size for dim in dims)

    @property
    def long_axes(self) -> Tuple[int, ...]:
        """The axes along which there is more than one position."""
        return _long_axes(self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Size:
    """One size of a tensor, as a number in the graph.

    Attributes:
      value: the number if a constant fixes it (-1: follows from the others), else None.
      labels: what the size counts, if it is taken from a tensor at run time.
      static: the number that it has before anything is removed, if that is known.
      node: the Const node, if there is one.
      consumer: node that reads the constant.
      position: number of the input by which it does.
      element: which element of the constant.
    """

    value: Optional[int] = None
    labels: Optional[np.ndarray] = None
    static: Optional[int] = None
    node: str = ''
    consumer: str = ''
    position: int = 0
    element: int = 0

    @property
    def now(self) -> Optional[int]:
        """The number before anything is removed, if that is known."""
        return self.static if self.value is None else self.value

    @property
    def number(self) -> Optional[int]:
        """The number, if it is known and counts no channels."""
        return self.now if self.labels is None else None


@dataclasses.dataclass(frozen=True, eq=False)
class Sizes:
    """Whole numbers in the graph, such as a shape.

    Attributes:
      array: of `Size`.
    """

    array: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, 'array', np.asarray(self.array, object))

    @property
    def items(self) -> Tuple[Size, ...]:
        """All of them, row by row."""
        return tuple(self.array.ravel())

    def labels(self) -> np.ndarray:
        """All labels that the sizes count."""
        counted = [item.labels for item in self.items if item.labels is not None]
        return np.concatenate([np.zeros(0, np.int64), *map(np.ravel, counted)])


@dataclasses.dataclass(frozen=True, eq=False)
class Elements:
    """A list of tensors that all have the labels of `element`."""

    element: Activation


@dataclasses.dataclass(frozen=True)
class Unranked:
    """A tensor without channels, of which not even the rank is known."""


Value = Union[Activation, Weight, Constant, Sizes, Elements, Unranked]


def fixed(shape: Shape) -> Activation:
    """A tensor none of whose positions is a channel."""
    return Activation(shape, np.full((1,) * len(shape), FIXED))


def is_handed_on(value: Value, results: Sequence[Value]) -> bool:
    """Whether a value, if it is a weight, goes on as one, as it is or computed."""
    return not isinstance(value, Weight) or any(
        isinstance(each, Weight) and (each.source == value.source or each.is_computed)
        for each in results
    )


def _long_axes(shape: Sequence[int]) -> Tuple[int, ...]:
    return tuple(axis for axis, size in enumerate(shape) if size > 1)
