"""Pooling, padding and resizing: ops that work along the spatial axes only."""

from __future__ import annotations

from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import RULES, Op, Tracer
from tf1pruning.channels.values import Activation


@RULES.register(
    'AvgPool',
    'MaxPool',
    attributes='T ksize strides padding data_format explicit_paddings',
)
def pool(op: Op, tracer: Tracer) -> Activation:
    """Keeps the labels of axes along which the window has size 1."""
    del tracer
    x = op.activation(0)
    for axis, size in enumerate(op.ints('ksize')):
        if size != 1 and x.varies(axis):
            raise Unsupported('a window over channels')
    return Activation(op.shape(), x.labels)


@RULES.register('Pad', 'PadV2', 'MirrorPad', attributes='T Tpaddings mode')
def pad(op: Op, tracer: Tracer) -> Activation:
    """Keeps the labels; channels themselves may not be padded."""
    del tracer
    x = op.activation(0)
    for axis, (before, after) in enumerate(op.constant(1)):
        if (before or after) and x.varies(axis):
            raise Unsupported('padding of channels')
    return Activation(op.shape(), x.labels)


@RULES.register(
    'ResizeBilinear',
    'ResizeNearestNeighbor',
    'ResizeBicubic',
    'ResizeArea',
    attributes='T align_corners half_pixel_centers',
)
def resize(op: Op, tracer: Tracer) -> Activation:
    """Keeps the labels of the last axis."""
    del tracer
    x = op.activation(0)
    if x.varies(1) or x.varies(2):
        raise Unsupported('channels along a resized axis')
    return Activation(op.shape(), x.labels)
