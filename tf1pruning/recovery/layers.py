"""The layers of a network as linear regressions: which rows, which weights."""

from __future__ import annotations

import dataclasses
from typing import Collection, Dict, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import families, layout
from tf1pruning.channels.trace_result import Kernel, Trace
from tf1pruning.names import TensorRef
from tf1pruning.recovery import geometry
from tf1pruning.surgery import fold
from tf1pruning.surgery.fold import FoldTarget

_DEPTHWISE = ('DepthwiseConv2dNative',)
_WITH_PIXELS = (
    *families.CONVOLUTIONS.ops,
    *families.TRANSPOSED_CONVOLUTIONS.ops,
    *_DEPTHWISE,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A layer that reads channels.

    Attributes:
      kernel: from the trace.
      node: of the graph that was traced.
      x: the tensor that it reads.
      width: size of the kernel's input axis.
      made: size of its output axis.
      kept_in: positions along the kernel's input axis that stay.
      kept_out: positions along its output axis that stay.
      entries: `[channels, positions]` along the input axis; None if some channels have
        more of them than others.
      target: what takes up the intercept; None: nothing does.
    """

    kernel: Kernel
    node: tf.NodeDef = dataclasses.field(repr=False)
    x: TensorRef
    width: int
    made: int
    kept_in: np.ndarray = dataclasses.field(repr=False)
    kept_out: np.ndarray = dataclasses.field(repr=False)
    entries: Optional[np.ndarray] = dataclasses.field(repr=False)
    target: Optional[FoldTarget]

    @property
    def y(self) -> TensorRef:
        """The tensor that it makes."""
        return TensorRef(self.kernel.node, 0)

    @property
    def loses_inputs(self) -> bool:
        """Whether some of the channels that it reads go."""
        return len(self.kept_in) < self.width

    @property
    def has_pixels(self) -> bool:
        """Whether it is a convolution of some kind."""
        return self.node.op in _WITH_PIXELS

    def why_not(self, weights: Collection[str], inside: Collection[str]) -> str:
        """Why it cannot be repaired; '' if it can.

        Args:
          weights: nodes whose arrays are known.
          inside: nodes in loops and branches.
        """
        if self.kernel.source not in weights:
            return 'its kernel is computed of variables that cannot carry other values'
        if self.kernel.share < 1:
            return 'it reads a part of its kernel'
        return 'it is in a loop or a branch' if self.kernel.node in inside else ''

    def without(self, trace: Trace, gone: np.ndarray) -> Layer:
        """The layer with fewer channels.

        Args:
          trace: of the network.
          gone: `[channels]` whether each channel of the trace goes.
        """
        axes = trace.weights[self.kernel.source]
        kept = {
            'kept_in': np.flatnonzero(~gone[axes[self.kernel.in_axis]]),
            'kept_out': np.flatnonzero(~gone[axes[self.kernel.out_axis]]),
        }
        return dataclasses.replace(self, **kept)

    def images(self, tensor: np.ndarray) -> np.ndarray:
        """What it reads or makes as `[examples, pixels, channels]`."""
        axis = tensor.ndim - 1
        if self.has_pixels:
            axis = layout.channel_axis(self.node, tensor.ndim)
        last = np.moveaxis(tensor, axis, -1)
        return last.reshape(len(last), -1, last.shape[-1])

    def table(self, x: np.ndarray, y: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """What each pixel of the output reads, see `geometry.table`.

        Args:
          x: what it reads.
          y: what it makes.
          kernel: its weights.
        """
        if not self.has_pixels:
            return np.arange(np.prod(y.shape[1:-1], dtype=np.int64))[:, np.newaxis]
        spatial = (self._pixels(x), self._pixels(y))
        own = {self.kernel.in_axis, self.kernel.out_axis}
        sizes = [size for axis, size in enumerate(kernel.shape) if axis not in own]
        taps = sizes[: -1 if self.kernel.depthwise else None]
        # One of one dimension runs on images that are one pixel high.
        flat = [1] * (len(spatial[0]) - len(taps))
        return geometry.table(self.node, *spatial, [*flat, *taps])

    def _pixels(self, tensor: np.ndarray) -> Tuple[int, ...]:
        axis = layout.channel_axis(self.node, tensor.ndim)
        return tuple(s for a, s in enumerate(tensor.shape) if a not in (0, axis))


class Form:
    """A kernel as the weights of a regression, and back.

    A convolution in groups is one system per group; a depthwise one has a system per
    channel.

    Args:
      layer: whose kernel it is.
      kernel: `[taps ..., in, out]` in the order of its own axes.
      channels: of the tensor that the layer reads.

    Attributes:
      x_channels: those of the input that stay, system after system.
      y_channels: those of the output that stay, system after system.
      systems: how many there are.
    """

    def __init__(self, layer: Layer, kernel: np.ndarray, channels: int):
        self._layer = layer
        self._shape = kernel.shape
        own = layer.kernel
        size_in, size_out = kernel.shape[own.in_axis], kernel.shape[own.out_axis]
        if own.depthwise:
            groups, made = size_in, kernel.size // (own.taps * size_in)
            self._kept = (layer.kept_in, np.zeros(1, np.int64), np.arange(made))
        else:
            groups = channels // size_in
            made = size_out // groups
            inner = layer.kept_out[layer.kept_out < made]
            self._kept = (np.arange(groups), layer.kept_in, inner)
        which, kept_in, kept_out = self._kept
        each = 1 if own.depthwise else size_in
        self._groups, self._each, self._made = groups, each, made
        self.systems = len(which)
        self.x_channels = np.add.outer(which * each, kept_in).ravel()
        self.y_channels = np.add.outer(which * made, kept_out).ravel()

    def weights(self, kernel: np.ndarray) -> np.ndarray:
        """`[systems, taps * in, out]` what stays of a kernel."""
        kept = self._split(kernel)[self._where()]
        return kept.reshape(self.systems, -1, kept.shape[-1])

    def whole(self, kernel: np.ndarray) -> np.ndarray:
        """`[systems, taps * in, out]` a kernel with all inputs, and what stays of it.

        For an input that has all channels.
        """
        which, _, kept_out = self._kept
        found = self._split(kernel)[which][..., kept_out]
        return found.reshape(self.systems, -1, found.shape[-1])

    @property
    def all_x_channels(self) -> np.ndarray:
        """All channels of the input, of the systems that stay."""
        inner = np.arange(self._each)
        return np.add.outer(self._kept[0] * self._each, inner).ravel()

    @property
    def rows(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which systems, inputs and outputs stay, of the form of the whole kernel."""
        which, kept_in, kept_out = self._kept
        taps = np.arange(self._layer.kernel.taps) * self._each
        return which, np.add.outer(taps, kept_in).ravel(), kept_out

    def with_weights(self, kernel: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """A kernel with other weights in the place of those that stay."""
        split = np.array(self._split(kernel), np.float64)
        where = self._where()
        split[where] = weights.reshape(split[where].shape)
        return self._joined(split).astype(kernel.dtype)

    def _where(self) -> Tuple[np.ndarray, ...]:
        which, kept_in, kept_out = self._kept
        taps = np.arange(self._layer.kernel.taps)
        return np.ix_(which, taps, kept_in, kept_out)

    def _split(self, kernel: np.ndarray) -> np.ndarray:
        """`[groups, taps, in, out]`."""
        own, taps = self._layer.kernel, self._layer.kernel.taps
        if own.depthwise:
            moved = np.moveaxis(kernel, own.in_axis, 0)
            return moved.reshape(self._groups, taps, 1, self._made)
        moved = np.moveaxis(kernel, (own.in_axis, own.out_axis), (-2, -1))
        split = moved.reshape(taps, self._each, self._groups, self._made)
        return split.transpose(2, 0, 1, 3)

    def _joined(self, split: np.ndarray) -> np.ndarray:
        """The kernel of `_split`."""
        own = self._layer.kernel
        if own.depthwise:
            rest = [s for axis, s in enumerate(self._shape) if axis != own.in_axis]
            moved = split.reshape(self._groups, *rest)
            return np.moveaxis(moved, 0, own.in_axis)
        rest = [s for axis, s in enumerate(self._shape) if axis not in own.axes]
        sizes = [self._shape[axis] for axis in own.axes]
        moved = split.transpose(1, 2, 0, 3).reshape(*rest, *sizes)
        return np.moveaxis(moved, (-2, -1), own.axes)


def layers_of(trace: Trace, gone: np.ndarray) -> Dict[str, Layer]:
    """The layers of a network, by node.

    Args:
      trace: of the network.
      gone: `[channels]` whether each channel of the trace goes.
    """
    view = trace.model.view()
    targets = fold.find_fold_targets(trace)
    found = {}
    for kernel in trace.kernels:
        node = view.node(kernel.node)
        axes = trace.weights[kernel.source]
        whole = Layer(
            kernel=kernel,
            node=node,
            x=view.refs(node)[kernel.reads],
            width=len(axes[kernel.in_axis]),
            made=len(axes[kernel.out_axis]),
            kept_in=np.arange(len(axes[kernel.in_axis])),
            kept_out=np.arange(len(axes[kernel.out_axis])),
            entries=_entries(axes[kernel.in_axis]),
            target=targets.get(kernel.node),
        )
        found[kernel.node] = whole.without(trace, gone)
    return found


def _entries(labels: np.ndarray) -> Optional[np.ndarray]:
    """`[channels, positions]` of each label; None if they have not as many each.

    >>> _entries(np.array([7, 5, 7, 5])).tolist()
    [[1, 3], [0, 2]]
    """
    found, counts = np.unique(labels, return_counts=True)
    if len(set(counts)) > 1:
        return None
    order = np.argsort(labels, kind='stable')
    return order.reshape(len(found), counts[0])
