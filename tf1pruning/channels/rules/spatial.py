"""Pooling, padding and resizing: ops that work along the spatial axes only."""

from __future__ import annotations

from typing import List

import numpy as np

from tf1pruning.channels import families, layout
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Constant


@RULES.register_family(families.POOLING)
def pool(op: Op) -> Activation:
    """Keeps the labels of axes along which the window has size 1."""
    x = op.activation(0)
    for axis, size in enumerate(op.attr('ksize').list.i):
        if size != 1 and x.varies(axis):
            raise Unsupported('a window over channels')
    return Activation(op.shape(), x.labels)


@RULES.register('Pad', 'PadV2', attributes='T Tpaddings')
def pad(op: Op) -> Activation:
    """Keeps the labels; padded channels are new ones, counted by the paddings."""
    x = op.activation(0)
    paddings = op.constant(1)
    labels = x.labels
    for axis, (before, after) in enumerate(paddings):
        if (before or after) and x.varies(axis):
            channels = x.channels(axis)
            first, last = op.tracer.labels.fresh(before), op.tracer.labels.fresh(after)
            items = sizes.items_of_matrix(op, 1)
            op.size(items[2 * axis], first)
            op.size(items[2 * axis + 1], last)
            found = np.concatenate([first, channels, last])
            labels = layout.along(found, axis, x.rank)
    return Activation(op.shape(), labels)


@RULES.register('MirrorPad', attributes='T Tpaddings mode')
def mirror_pad(op: Op) -> Activation:
    """Keeps the labels; channels themselves may not be mirrored."""
    x = op.activation(0)
    for axis, (before, after) in enumerate(op.constant(1)):
        if (before or after) and x.varies(axis):
            raise Unsupported('mirrored channels')
    return Activation(op.shape(), x.labels)


@RULES.register('SpaceToBatchND', attributes='T Tblock_shape Tpaddings')
@RULES.register('BatchToSpaceND', attributes='T Tblock_shape Tcrops')
def batch_blocks(op: Op) -> Activation:
    """How a dilated convolution is written: moves pixels into the batch and back."""
    x = op.activation(0)
    for value in op.inputs[1:]:
        op.freeze_value(value, 'has its size used as a number')
    if any(x.varies(axis) for axis in (0, *_moved_axes(op))):
        raise Unsupported('channels along a spatial axis')
    return Activation(op.shape(), x.labels)


def _moved_axes(op: Op) -> List[int]:
    """Axes that blocks or padding change; with channels first, axis 1 has neither."""
    known = all(isinstance(value, Constant) for value in op.inputs[1:])
    count = int(op.input_shape(1)[0] or 0)
    return [
        1 + i
        for i in range(count)
        if not known or op.constant(1)[i] != 1 or op.constant(2)[i].any()
    ]


@RULES.register(
    'ResizeBilinear',
    'ResizeNearestNeighbor',
    'ResizeBicubic',
    'ResizeArea',
    attributes='T align_corners half_pixel_centers',
)
def resize(op: Op) -> Activation:
    """Keeps the labels of the last axis."""
    x = op.activation(0)
    op.freeze_value(op.inputs[1], 'has its size used as a number')
    if x.varies(1) or x.varies(2):
        raise Unsupported('channels along a resized axis')
    return Activation(op.shape(), x.labels)
