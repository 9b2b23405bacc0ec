"""Values of ops that take rows, regions or windows of a tensor."""

from __future__ import annotations

from typing import List, Sequence

import numpy as np

from tf1pruning.channels import families, layout
from tf1pruning.channels.constants import (
    RULES,
    VARYING,
    ConstantOp,
    channel_vector,
    whole_numbers,
)
from tf1pruning.channels.registry import Unsupported


def _without_axes(x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """The value, if nothing changes along some axes.

    Raises:
      Unsupported: if something does.
    """
    if any(x.shape[axis] > 1 for axis in axes):
        raise Unsupported('values that change along the axis')
    return x


def _zeros(x: np.ndarray) -> np.ndarray:
    """Of an op that is sure of zeros only."""
    return np.where(x == 0, 0.0, VARYING)


@RULES.register_family(families.CROPS)
def _crop_and_resize(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, outside = _without_axes(inputs[0], (0, 1, 2)), op.attr('extrapolation_value').f
    return np.where(x == outside, x, VARYING)


@RULES.register_family(families.SEGMENTS)
def _segments(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """An empty segment gives zero, in the ops of this family."""
    dropped = len(op.input_shape(1))
    x = _zeros(_without_axes(inputs[0], range(dropped)))
    return x.reshape((1, *x.shape[dropped:]))


@RULES.register_family(families.RUNNING_SUMS)
def _running_sum(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _zeros(_without_axes(inputs[0], whole_numbers(inputs[1])))


@RULES.register_family(families.SEQUENCES)
def _reverse_sequence(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _without_axes(inputs[0], [op.attr('seq_dim').i, op.attr('batch_dim').i])


@RULES.register_family(families.ROLLS)
def _roll(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _without_axes(inputs[0], whole_numbers(inputs[2]))


@RULES.register_family(families.REVERSALS)
def _reverse(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.flip(inputs[0], tuple(whole_numbers(inputs[1])))


@RULES.register_family(families.LARGEST)
def _largest(op: ConstantOp, inputs: Sequence[np.ndarray]) -> List[np.ndarray]:
    x = _without_axes(inputs[0], [-1])
    return [x, np.full_like(x, VARYING, np.float64)]


@RULES.register_family(families.ROWS_AT)
def _rows_at(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    count = op.input_size(1, -1)
    x, rank = _without_axes(inputs[0], range(count)), len(op.input_shape(1)) - 1
    return x.reshape((*(1,) * rank, *x.shape[count:]))


@RULES.register_family(families.PATCHES)
def _patches(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    channels = channel_vector(inputs[0], 3, op.input_size(0, 3))
    taps = int(np.prod(op.attr('ksizes').list.i))
    if layout.pads_with_zeros(op.node, taps):
        channels = _zeros(channels)
    return layout.along(np.tile(channels, taps), 3, 4)


@RULES.register_family(families.POOLING_OF_SIZES)
@RULES.register_family(families.POOLING_WITH_POSITIONS)
@RULES.register_family(families.FRACTIONAL_POOLING)
def _pool(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return _without_axes(inputs[0], (0, 1, 2))
