"""Reductions along some axes, and ops that mix all channels."""

from __future__ import annotations

from typing import Union

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
    """Drops axes: those of channels in a sum for each example, as zeros add nothing.

    A sum over examples too is a loss, and what it reads an output. A product of sizes
    is a size.
    """
    value = op.inputs[0]
    if op.type == 'Prod' and isinstance(value, Sizes) and value.array.ndim == 1:
        item = sizes.product(value.items)
        return Sizes([item] if op.attr('keep_dims').b else item)
    x = op.activation(0)
    axes = sorted({int(a) % x.rank for a in np.ravel(op.constant(1))})
    if any(x.varies(axis) for axis in axes):
        if op.type not in _SUMS or not isinstance(value, Activation) or 0 in axes:
            raise Unsupported('a reduction over channels')
        axis = next(axis for axis in axes if x.varies(axis))
        op.summation([(0, axis)], x.channels(axis))
        return values.fixed(op.shape())
    labels = x.labels
    if not op.attr('keep_dims').b:
        labels = np.squeeze(labels, tuple(axes))
    return Activation(op.shape(), labels)


@RULES.register('LogSoftmax', 'Softmax', attributes='T')
def softmax(op: Op) -> Activation:
    """Mixes what lies along the last axis, and keeps the labels of the others."""
    x = op.activation(0)
    return mix_channels(op) if x.varies(x.rank - 1) else x


@RULES.register(
    'ArgMax',
    'ArgMin',
    'L2Loss',
    'LRN',
    attributes='T Tidx output_type depth_radius bias alpha beta',
)
def mix_channels(op: Op) -> Activation:
    """Each output depends on every channel, so none of them can go."""
    op.freeze_value(op.inputs[0], 'is mixed with all others')
    return values.fixed(op.shape())
