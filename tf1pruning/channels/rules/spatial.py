"""Pooling, padding and resizing: ops that work along the spatial axes only."""

from __future__ import annotations

from typing import List

import numpy as np

from tf1pruning.channels import families, layout
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Size


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
    labels = x.labels
    for axis, pair in enumerate(sizes.paddings(op, 1)):
        if x.varies(axis) and any(size.number != 0 for size in pair):
            first, last = (_new_channels(op, size) for size in pair)
            found = np.concatenate([first, x.channels(axis), last])
            labels = layout.along(found, axis, x.rank)
    return Activation(op.shape(), labels)


def _new_channels(op: Op, size: Size) -> np.ndarray:
    """As many labels as a constant says, which must follow them."""
    if size.value is None:
        raise Unsupported('a computed number of new channels')
    labels = op.tracer.labels.fresh(size.value)
    op.size(size, labels)
    return labels


@RULES.register('MirrorPad', attributes='T Tpaddings mode')
def mirror_pad(op: Op) -> Activation:
    """Keeps the labels; channels themselves may not be mirrored."""
    x = op.activation(0)
    for axis, pair in enumerate(sizes.paddings(op, 1)):
        if x.varies(axis) and any(size.number != 0 for size in pair):
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
    found = sizes.sizes_of(op, 1), sizes.sizes_of(op, 2)
    if found[0] is None or found[1] is None:
        return list(range(1, 1 + int(op.input_shape(1)[0] or 0)))
    return [
        1 + i
        for i, (block, pads) in enumerate(zip(found[0].array, found[1].array))
        if block.number != 1 or any(size.number != 0 for size in pads)
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
