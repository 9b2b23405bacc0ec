"""Reductions along some axes, and ops that mix all channels."""

from __future__ import annotations

from typing import Sequence, Union

import numpy as np

from tf1pruning.channels import values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Sizes

OPS = ('All', 'Any', 'EuclideanNorm', 'Max', 'Mean', 'Min', 'Prod', 'Sum')
# Zeros add nothing to them.
_SUMS = ('EuclideanNorm', 'Sum')


@RULES.register(*OPS, attributes='T Tidx keep_dims')
def reduce(op: Op) -> Union[Activation, Sizes]:
    """Drops axes: a sum over channels too, for zeros add nothing.

    A product of sizes is a size.
    """
    value = op.inputs[0]
    if op.type == 'Prod' and isinstance(value, Sizes) and value.array.ndim == 1:
        item = sizes.product(value.items)
        return Sizes([item] if op.attr('keep_dims').b else item)
    x = op.activation(0)
    axes = sorted({int(a) % x.rank for a in np.ravel(op.constant(1))})
    if any(x.varies(axis) for axis in axes):
        if op.type not in _SUMS:
            raise Unsupported('a reduction over channels')
        return _summed(op, x, axes)
    labels = x.labels
    if not op.attr('keep_dims').b:
        labels = np.squeeze(labels, tuple(axes))
    return Activation(op.shape(), labels)


def _summed(op: Op, x: Activation, axes: Sequence[int]) -> Activation:
    """What is left when channels along one of the axes are summed."""
    axis = next(axis for axis in axes if x.varies(axis))
    op.summation([(0, axis)], x.channels(axis))
    return values.fixed(op.shape())


@RULES.register('L2Loss', attributes='T')
def l2_loss(op: Op) -> Activation:
    """Half the sum of all squares."""
    x = op.activation(0)
    is_counted = any(x.varies(axis) for axis in range(x.rank))
    return _summed(op, x, range(x.rank)) if is_counted else values.fixed(op.shape())


@RULES.register('LogSoftmax', 'Softmax', attributes='T')
def softmax(op: Op) -> Activation:
    """Mixes what lies along the last axis, and keeps the labels of the others."""
    x = op.activation(0)
    return mix_channels(op) if x.varies(x.rank - 1) else x


@RULES.register(
    'ArgMax',
    'ArgMin',
    'LRN',
    attributes='T Tidx output_type depth_radius bias alpha beta',
)
def mix_channels(op: Op) -> Activation:
    """Each output depends on every channel, so none of them can go."""
    op.freeze_value(op.inputs[0], 'is mixed with all others')
    return values.fixed(op.shape())
