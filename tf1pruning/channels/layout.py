"""Where channels lie, and ops that only move values.

Arrays here have size 1 along axes on which nothing changes. Both interpretations of
the graph (labels and constants) use these functions.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels.registry import Unsupported
from tf1pruning.graph.view import Shape, attribute

# Larger arrays of whole numbers are data, and no sizes or indices.
FEW = 4096


def fits(found: Sequence[int], shape: Shape) -> bool:
    """Whether an array fits a tensor: as many axes, each of size 1 or the tensor's.

    >>> fits((1, 3), (None, 3)), fits((3,), (1, 3)), fits((1, 3), (2, 4))
    (True, False, False)
    """
    return len(found) == len(shape) and all(
        size == 1 or dim is None or size == dim for size, dim in zip(found, shape)
    )


def concatenated(op: str, inputs: int) -> Tuple[int, range]:
    """Number of the input with the axis of a concat, and those of the parts."""
    if op == 'Concat':
        return 0, range(1, inputs)
    return inputs - 1, range(inputs - 1)


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
    """Whether the zero padding of a convolution of `taps` pixels meets its input."""
    padding = attribute(node, 'padding').s
    if padding == b'EXPLICIT':
        return any(attribute(node, 'explicit_paddings').list.i)
    return padding == b'SAME' and taps > 1


def spreads_unevenly(node: tf.NodeDef, kernel: Sequence[int]) -> bool:
    """Whether the outputs of a transposed convolution get different numbers of taps."""
    strides = attribute(node, 'strides').list.i
    return any(size > 1 for size in (*kernel[:-2], *strides))


def few_numbers(start: int, limit: int, step: int) -> range:
    """The whole numbers that a Range makes.

    Raises:
      Unsupported: if they are so many that they are data, or endless.
    """
    found = range(start, limit, step) if step else range(FEW + 1)
    if len(found) > FEW:
        raise Unsupported('a long range')
    return found


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


def squeezed_axes(shape: Shape, node: tf.NodeDef) -> Tuple[int, ...]:
    """The axes that a Squeeze drops: the named ones, or all of size 1."""
    named = [axis % len(shape) for axis in attribute(node, 'squeeze_dims').list.i]
    return tuple(named or [axis for axis, size in enumerate(shape) if size == 1])


def same_axes(before: Shape, after: Shape) -> Optional[List[Optional[int]]]:
    """How a reshape that only adds or drops axes of size 1 maps the axes.

    Returns:
      Per axis of `after` the axis of `before`, None where it is new; or None if the
      reshape does more.

    >>> same_axes((3, 1, 8), (3, 8, 1))
    [0, 2, None]
    >>> same_axes((4, 2), (8,)) is None
    True
    """
    long = [axis for axis, size in enumerate(before) if size != 1]
    if [before[axis] for axis in long] != [size for size in after if size != 1]:
        return None
    left = iter(long)
    return [None if size == 1 else next(left) for size in after]


class Strided(NamedTuple):
    """What a StridedSlice does to one axis of its input or output.

    Attributes:
      element: which element of begin, end and strides; None: the axis stays whole.
      axis: axis of the input; -1 for a new axis.
      shrinks: whether the axis is dropped.
    """

    element: Optional[int]
    axis: int
    shrinks: bool


def strided_axes(node: tf.NodeDef, rank: int, elements: int) -> List[Strided]:
    """Resolves the masks of a StridedSlice, in the order of begin's elements."""
    masks = {
        name: attribute(node, f'{name}_mask').i
        for name in ('ellipsis', 'new_axis', 'shrink_axis')
    }

    def is_set(name: str, element: int) -> bool:
        return bool(masks[name] >> element & 1)

    news = sum(is_set('new_axis', e) for e in range(elements))
    has_ellipsis = any(is_set('ellipsis', e) for e in range(elements))
    skipped = rank - (elements - news - has_ellipsis)
    found: List[Strided] = []
    axis = 0
    for element in range(elements):
        if is_set('ellipsis', element):
            found += [Strided(None, axis + i, False) for i in range(skipped)]
            axis += skipped
        elif is_set('new_axis', element):
            found.append(Strided(element, -1, False))
        else:
            found.append(Strided(element, axis, is_set('shrink_axis', element)))
            axis += 1
    return found + [Strided(None, a, False) for a in range(axis, rank)]


def strided_index(
    node: tf.NodeDef, part: Strided, bounds: Sequence[Sequence[int]]
) -> Union[int, slice, None]:
    """What a StridedSlice does to an axis, as NumPy writes it.

    Args:
      node: the slice.
      part: the axis.
      bounds: begin, end and strides.
    """
    begin, end, step = bounds
    if part.axis < 0:
        return np.newaxis
    if part.element is None:
        return slice(None)
    if part.shrinks:
        return int(begin[part.element])
    from_start = attribute(node, 'begin_mask').i >> part.element & 1
    to_end = attribute(node, 'end_mask').i >> part.element & 1
    return slice(
        None if from_start else int(begin[part.element]),
        None if to_end else int(end[part.element]),
        int(step[part.element]),
    )


def reshape(array: np.ndarray, before: Shape, after: Shape) -> np.ndarray:
    """Reshape: repeats over the axes that are merged, cuts again, compresses.

    Only the axes from the first one that matters need known sizes: as many elements at
    the end of one shape are as many at the end of the other.

    Args:
      array: of the rank of `before`.
      before: static shape of the input.
      after: static shape of the output.

    Raises:
      Unsupported: if the sizes cannot be known.
    """
    first = next((a for a, size in enumerate(array.shape) if size > 1), None)
    if first is None:
        return array.reshape((1,) * len(after))
    for start in range(first, -1, -1):
        inner = _known(before[start:])
        for end in range(len(after) + 1):
            target = _known(after[end:])
            if inner and target is not None and np.prod(inner) == np.prod(target):
                found = np.broadcast_to(array.reshape(array.shape[start:]), inner)
                found = compress(found.reshape(target))
                return found.reshape((1,) * end + found.shape)
    raise Unsupported('a reshape of channels together with unknown sizes')


def _known(shape: Shape) -> Optional[List[int]]:
    """The sizes, if all of them are known."""
    sizes = [size for size in shape if size is not None]
    return sizes if len(sizes) == len(shape) else None
