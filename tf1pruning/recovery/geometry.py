"""How a layer reads its input: rows of a linear regression.

Whatever a convolution does, strided, dilated, transposed, of one to three dimensions:
each of its output pixels is a sum over taps of what stands at some pixel of its input,
or of nothing. A table `[output pixels, taps]` of input pixels says all of it.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import families
from tf1pruning.graph import view as view_lib

# A tap that lies outside of the input.
OUTSIDE = -1


class Axis(NamedTuple):
    """One spatial axis of a convolution.

    Attributes:
      size: pixels of the input.
      made: pixels of the output.
      taps: of the kernel.
      stride: of the output; of a transposed convolution that of the input.
      dilation: pixels from tap to tap.
      before: zeros in front of the input; of a transposed convolution those of the
        convolution that it turns round.
      is_transposed: whether it is a transposed convolution.
    """

    size: int
    made: int
    taps: int
    stride: int
    dilation: int
    before: int
    is_transposed: bool

    def table(self) -> np.ndarray:
        """`[made, taps]` position in the input of each tap, or `OUTSIDE`.

        >>> Axis(4, 2, 3, 2, 1, 0, False).table().tolist()
        [[0, 1, 2], [2, 3, -1]]
        """
        made = np.arange(self.made)[:, np.newaxis]
        taps = np.arange(self.taps) * self.dilation
        if self.is_transposed:
            steps = made + self.before - taps
            found = steps // self.stride
            inside = steps % self.stride == 0
        else:
            found = made * self.stride + taps - self.before
            inside = np.ones_like(found, bool)
        inside &= (found >= 0) & (found < self.size)
        return np.where(inside, found, OUTSIDE)


def table(
    node: tf.NodeDef, size: Sequence[int], made: Sequence[int], taps: Sequence[int]
) -> np.ndarray:
    """What each output pixel of a layer reads.

    Args:
      node: a convolution, or a dense layer, which has neither pixels nor taps.
      size: of its input along each spatial axis.
      made: of its output.
      taps: of its kernel.

    Returns:
      `[output pixels, taps]` number of the input pixel, both counted along the last
      axis first; `OUTSIDE` where a tap reads zeros.
    """
    axes = [
        _axis(node, number, *sizes)
        for number, sizes in enumerate(zip(size, made, taps))
    ]
    return functools.reduce(_joined, axes, (np.zeros([1, 1], np.int64), 1))[0]


def _joined(found: Tuple[np.ndarray, int], axis: Axis) -> Tuple[np.ndarray, int]:
    """A table and its number of input pixels, with one axis more."""
    outer, size = found
    inner = axis.table()
    rows, taps = len(outer) * len(inner), outer.shape[1] * inner.shape[1]
    left = outer[:, np.newaxis, :, np.newaxis]
    right = inner[np.newaxis, :, np.newaxis, :]
    outside = (left == OUTSIDE) | (right == OUTSIDE)
    joined = np.where(outside, OUTSIDE, left * axis.size + right)
    return joined.reshape(rows, taps), size * axis.size


def _axis(node: tf.NodeDef, number: int, size: int, made: int, taps: int) -> Axis:
    attribute = functools.partial(view_lib.attribute, node)
    place = number + (2 if attribute('data_format').s.startswith(b'NC') else 1)
    strides = attribute('strides').list.i
    dilations = attribute('dilations').list.i or [1] * len(strides)
    stride, dilation = strides[place], dilations[place]
    is_transposed = node.op in families.TRANSPOSED_CONVOLUTIONS.ops
    small, large = (size, made) if is_transposed else (made, size)
    padding, before = attribute('padding').s, 0
    if padding == b'SAME':
        reach = (small - 1) * stride + (taps - 1) * dilation + 1
        before = max(0, reach - large) // 2
    elif padding == b'EXPLICIT':
        before = attribute('explicit_paddings').list.i[2 * place]
    return Axis(size, made, taps, stride, dilation, before, is_transposed)


def some_pixels(count: int, most: int, generator: np.random.RandomState) -> np.ndarray:
    """Numbers of pixels, ascending: all of them, or as many as allowed, by lot."""
    pixels = np.arange(count)
    if most < count:
        pixels = np.sort(generator.choice(pixels, most, replace=False))
    return pixels


def rows(
    images: np.ndarray, table: np.ndarray, channels: np.ndarray, systems: int
) -> np.ndarray:
    """What a layer reads at output pixels, as inputs of a regression.

    Args:
      images: `[examples, input pixels, channels]`.
      table: `[output pixels, taps]`, those that are wanted.
      channels: which are read: system after system.
      systems: number of groups of a convolution; the channels of a depthwise one.

    Returns:
      `[systems, examples * output pixels, taps * channels of a system]`.
    """
    pixels = np.where(table == OUTSIDE, 0, table).ravel()
    steps = [(pixels, 1), (channels, 2)]
    # The smaller choice first: less is copied twice.
    is_few = pixels.size * images.shape[2] < channels.size * images.shape[1]
    for chosen, axis in steps if is_few else steps[::-1]:
        images = images.take(chosen, axis)
    found = images.reshape(len(images), *table.shape, systems, -1)
    if (table == OUTSIDE).any():
        found[:, table == OUTSIDE] = 0
    count = found.shape[0] * found.shape[1]
    moved = np.moveaxis(found, 3, 0)
    return np.ascontiguousarray(moved).reshape(systems, count, -1)


def made(
    images: np.ndarray, pixels: np.ndarray, channels: np.ndarray, systems: int
) -> np.ndarray:
    """What a layer makes at output pixels, as outputs of a regression.

    Args:
      images: `[examples, output pixels, channels]`.
      pixels: those that are wanted.
      channels: which are wanted: system after system.
      systems: as for `rows`.

    Returns:
      `[systems, examples * output pixels, channels of a system]`.
    """
    found = images.take(pixels, 1).take(channels, 2)
    found = found.reshape(len(images) * len(pixels), systems, -1)
    return np.ascontiguousarray(np.moveaxis(found, 1, 0))
