"""Ops that take rows, regions or windows of a tensor, and leave its channels alone."""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np

from tf1pruning.channels import families, layout, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules.reduction import mix_channels
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation


def _beside(op: Op, position: int, axes: Sequence[int]) -> Activation:
    """An input without channels along `axes`; the other inputs are only numbers.

    Raises:
      Unsupported: if channels lie along one of them.
    """
    x = op.activation(position)
    for other, value in enumerate(op.inputs):
        if other != position:
            op.freeze_value(value, 'is used as numbers')
    if any(x.varies(axis % x.rank) for axis in axes):
        raise Unsupported(f'channels along an axis that {op.type} changes')
    return x


@RULES.register_family(families.CROPS)
def crop_and_resize(op: Op) -> Activation:
    """Regions of images, each of one size."""
    return Activation(op.shape(), _beside(op, 0, (0, 1, 2)).labels)


@RULES.register_family(families.SEGMENTS)
def segments(op: Op) -> Activation:
    """Reduces the rows of each segment to one."""
    dropped = len(op.input_shape(1))
    labels = _beside(op, 0, range(dropped)).labels
    return Activation(op.shape(), labels.reshape((1, *labels.shape[dropped:])))


@RULES.register_family(families.RUNNING_SUMS)
def running_sum(op: Op) -> Activation:
    """Sums along an axis without channels."""
    return _beside(op, 0, [int(op.constant(1))])


@RULES.register_family(families.SEQUENCES)
def reverse_sequence(op: Op) -> Activation:
    """Turns round a part of each example."""
    return _beside(op, 0, [op.attr('seq_dim').i, op.attr('batch_dim').i])


@RULES.register_family(families.ROLLS)
def roll(op: Op) -> Activation:
    """Moves along some axes, and round at the end."""
    return _beside(op, 0, np.ravel(op.constant(2)))


@RULES.register_family(families.REVERSALS)
def reverse(op: Op) -> Activation:
    """Turns axes round, those of channels too."""
    x = op.activation(0)
    axes = tuple(int(axis) for axis in op.constant(1))
    return Activation(op.shape(), np.flip(x.labels, axes))


@RULES.register_family(families.LARGEST)
def largest(op: Op) -> Tuple[Activation, ...]:
    """The largest elements along the last axis, and where they lie."""
    x = op.activation(0)
    if x.varies(x.rank - 1):
        return tuple(mix_channels(op) for _ in range(2))
    op.freeze_value(op.inputs[1], 'is used as numbers')
    return tuple(Activation(op.shape(output), x.labels) for output in range(2))


@RULES.register_family(families.ROWS_AT)
def rows_at(op: Op) -> Activation:
    """Picks rows by their positions along the first axes."""
    indices = op.input_shape(1)
    if indices[-1] is None:
        raise Unsupported('an unknown number of indexed axes')
    labels = _beside(op, 0, range(indices[-1])).labels
    shape = (*(1,) * (len(indices) - 1), *labels.shape[indices[-1] :])
    return Activation(op.shape(), labels.reshape(shape))


@RULES.register_family(families.PATCHES)
def patches(op: Op) -> Activation:
    """Windows as channels: those of each pixel of the window, one after the other."""
    taps = int(np.prod(op.attr('ksizes').list.i))
    channels = np.tile(op.activation(0).channels(3), taps)
    return Activation(op.shape(), layout.along(channels, 3, 4))


@RULES.register_family(families.POOLING_OF_SIZES)
def pool_of_sizes(op: Op) -> Activation:
    """Max pooling whose window is an input."""
    axes = [axis for axis, size in enumerate(op.constant(1)) if size != 1]
    return Activation(op.shape(), _beside(op, 0, axes).labels)


@RULES.register_family(families.POOLING_WITH_POSITIONS)
def pool_with_positions(op: Op) -> Activation:
    """Max pooling that tells positions, which count the channels."""
    x = op.activation(0)
    if any(edge.output == 1 for edge in op.tracer.view.consumers(op.name)):
        op.freeze(x.labels, 'is counted in the positions of the largest')
    axes = [axis for axis, size in enumerate(op.attr('ksize').list.i) if size != 1]
    return Activation(op.shape(), _beside(op, 0, axes).labels)


@RULES.register_family(families.FRACTIONAL_POOLING)
def fractional_pool(op: Op) -> Tuple[Activation, ...]:
    """Pooling over windows of differing sizes, and where these begin."""
    ratios = enumerate(op.attr('pooling_ratio').list.f)
    x = _beside(op, 0, [axis for axis, ratio in ratios if ratio != 1])
    rows, columns = (values.fixed(op.shape(output)) for output in (1, 2))
    return Activation(op.shape(), x.labels), rows, columns
