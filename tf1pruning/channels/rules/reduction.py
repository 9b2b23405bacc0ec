"""Reductions along some axes, and ops that mix all channels."""

from __future__ import annotations

from typing import Union

import numpy as np

from tf1pruning.channels import values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Sizes


@RULES.register('Max', 'Mean', 'Min', 'Prod', 'Sum', attributes='T Tidx keep_dims')
def reduce(op: Op) -> Union[Activation, Sizes]:
    """Drops axes without channels; a product of sizes is a size."""
    if op.type == 'Prod' and isinstance(op.inputs[0], Sizes):
        item = sizes.product(op.inputs[0].items)
        return Sizes((item,), scalar=not op.attr('keep_dims').b)
    x = op.activation(0)
    axes = sorted(int(a) % x.rank for a in np.ravel(op.constant(1)))
    if any(x.varies(axis) for axis in axes):
        raise Unsupported('a reduction over channels')
    labels = x.labels
    if not op.attr('keep_dims').b:
        labels = np.squeeze(labels, tuple(axes))
    return Activation(op.shape(), labels)


@RULES.register(
    'ArgMax',
    'ArgMin',
    'L2Loss',
    'LRN',
    'LogSoftmax',
    'Softmax',
    attributes='T Tidx output_type depth_radius bias alpha beta',
)
def mix_channels(op: Op) -> Activation:
    """Each output depends on every channel, so none of them can go."""
    op.freeze_value(op.inputs[0], 'is mixed with all others')
    return values.fixed(op.shape())
