"""What the trace knows about a tensor.

Six kinds of value flow along the edges of a graph:

- `Activation`: depends on the input. Its labels are an integer array of the tensor's
  rank, with size 1 on the axes along which they do not change.
- `Weight`: a variable, or a constant used as one. One label vector per axis.
- `Constant`: a constant whose role is not known yet.
- `Sizes`: an array of whole numbers, such as a shape, each fixed by some constant,
  taken from a tensor at run time, or computed.
- `Elements`: a list of tensors (a TensorArray), filled at once.
- `Unranked`: a tensor of which not even the rank is known. No rule sees it.
"""

from __future__ import annotations

import dataclasses
from typing import Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.channels.labels import FIXED
from tf1pruning.channels.registry import Unsupported
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


@dataclasses.dataclass(frozen=True, eq=False)
class Weight:
    """A variable or a constant that acts as one.

    Attributes:
      source: name of the variable or Const node.
      shape: static shape, as seen here: a weight may have been transposed.
      axes: one `[size]` label vector per axis.
      source_axes: the axis of the source that each axis is; None for an axis of size 1
        that the source lacks.
      scaled: whether an op lies between that changes values, but keeps zeros zero, or
        that takes a part.
      share: how large a part of the source this is.
    """

    source: str
    shape: Tuple[int, ...]
    axes: Tuple[np.ndarray, ...]
    source_axes: Tuple[Optional[int], ...]
    scaled: bool = False
    share: float = 1.0

    def part(self, axis: int, labels: np.ndarray) -> Weight:
        """The part of the weight that has these labels along an axis."""
        whole = self.shape[axis]
        return dataclasses.replace(
            self,
            shape=(*self.shape[:axis], len(labels), *self.shape[axis + 1 :]),
            axes=(*self.axes[:axis], labels, *self.axes[axis + 1 :]),
            scaled=True,
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
