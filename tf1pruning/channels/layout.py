"""Where channels lie, and ops that only move values.

Arrays here have size 1 along axes on which nothing changes. Both interpretations of
the graph (labels and constants) use these functions.
"""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels.registry import Unsupported
from tf1pruning.graph.view import Shape, attribute


def channel_axis(node: tf.NodeDef, rank: int) -> int:
    """The axis of the channels of a node's input, from its `data_format`.

    Raises:
      Unsupported: on a format that nobody thought of.
    """
    data_format = attribute(node, 'data_format').s.decode('utf-8')
    if data_format in ('', 'NHWC', 'NDHWC', 'NWC'):
        return rank - 1
    if data_format in ('NCHW', 'NCDHW', 'NCW'):
        return 1
    raise Unsupported(f'data format {data_format!r}')


def pads_with_zeros(node: tf.NodeDef, taps: int) -> bool:
    """Whether a convolution's zero padding mixes with its input.

    Args:
      node: the convolution.
      taps: spatial size of its kernel.
    """
    padding = attribute(node, 'padding').s
    if padding == b'EXPLICIT':
        return any(attribute(node, 'explicit_paddings').list.i)
    return padding == b'SAME' and taps > 1


def along(vector: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """A vector as an array of some rank that changes along one axis.

    >>> along(np.array([1, 2]), 0, 2).tolist()
    [[1], [2]]
    """
    shape = [1] * rank
    shape[axis] = -1
    return np.reshape(vector, shape)


def compress(array: np.ndarray) -> np.ndarray:
    """Gives size 1 to every axis along which nothing changes; NaN equals NaN.

    >>> compress(np.array([[1, 2], [1, 2]])).tolist()
    [[1, 2]]
    """
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if array.shape[axis] > 1:
            equal = (array == first) | ((array != array) & (first != first))
            if equal.all():
                array = first
    return array


def squeeze(array: np.ndarray, shape: Shape, node: tf.NodeDef) -> np.ndarray:
    """Squeeze: drops the named axes, or all of size 1."""
    axes = [a % len(shape) for a in attribute(node, 'squeeze_dims').list.i]
    if not axes:
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    return np.squeeze(array, tuple(axes))


def expand_dims(array: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """ExpandDims."""
    return np.expand_dims(array, int(axis) % (array.ndim + 1))


def reshape(array: np.ndarray, before: Shape, after: Shape) -> np.ndarray:
    """Reshape: repeats over the axes that are merged, cuts anew, compresses.

    Args:
      array: of the rank of `before`.
      before: static shape of the input; only the first size may be unknown.
      after: static shape of the output.

    Raises:
      Unsupported: if the sizes cannot be known.
    """
    known_before, known_after = _known_sizes(before, after)
    return compress(np.broadcast_to(array, known_before).reshape(known_after))


def _known_sizes(before: Shape, after: Shape) -> Tuple[List[int], List[int]]:
    """Both shapes with the unknown batch taken as 1, and what follows from that."""
    if any(size is None for size in before[1:]):
        raise Unsupported('a reshape of unknown sizes')
    sizes = [1 if size is None else size for size in before]
    target = [1 if size is None else size for size in after]
    free = [axis for axis, size in enumerate(after) if size is None]
    if before and before[0] is None and free != [0]:
        raise Unsupported('a reshape that moves the batch')
    total, known = int(np.prod(sizes)), int(np.prod(target))
    if len(free) > 1 or (not free and total != known) or total % max(known, 1):
        raise Unsupported('a reshape of unknown sizes')
    if free:
        target[free[0]] = total // known
    return sizes, target
