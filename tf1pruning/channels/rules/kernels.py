"""Convolutions and dense layers: what binds channels to the axes of a kernel."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from tf1pruning.channels import layout
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import CONSUMER, PRODUCER, RULES, Kernel, Op, Tracer
from tf1pruning.channels.values import Activation, Weight

HWIO_IN, HWIO_OUT = 2, 3
DEPTHWISE_CHANNEL, DEPTHWISE_MULTIPLIER = 2, 3


def _image(op: Op) -> Tuple[Activation, int]:
    x = op.activation(0)
    if x.rank != 4:
        raise Unsupported(f'an input of rank {x.rank}')
    axis = layout.channel_axis(op.node, 4)
    if any(x.varies(a) for a in range(4) if a != axis):
        raise Unsupported('an input whose channels lie along several axes')
    return x, axis


def _positions(op: Op, axis: int) -> Optional[int]:
    """Output pixels of one example."""
    sizes = [size for a, size in enumerate(op.shape()) if a not in (0, axis)]
    if any(size is None for size in sizes):
        return None
    return int(np.prod([size or 0 for size in sizes], dtype=np.int64))


def _freeze_axes(op: Op, tracer: Tracer, weight: Weight, *axes: int) -> None:
    for axis in axes:
        tracer.labels.freeze(weight.axes[axis], f'is a spatial axis in {op.name!r}')


@RULES.register(
    'Conv2D',
    attributes='T strides use_cudnn_on_gpu padding explicit_paddings data_format '
    'dilations',
)
def conv2d(op: Op, tracer: Tracer) -> Activation:
    """Binds the input's channels to the kernel's axis 2 and makes those of axis 3."""
    x, axis = _image(op)
    kernel = op.weight(1)
    channels = (x.shape or ())[axis]
    if channels != kernel.shape[HWIO_IN]:
        raise Unsupported(f'{channels} channels into kernel {kernel.shape} (grouped)')
    _freeze_axes(op, tracer, kernel, 0, 1)
    taps = kernel.shape[0] * kernel.shape[1]
    reads = tracer.use(op, kernel, HWIO_IN, CONSUMER)
    tracer.labels.unify(reads, x.labels.ravel(), f'reads fixed channels in {op.name!r}')
    makes = tracer.use(op, kernel, HWIO_OUT, PRODUCER)
    tracer.kernel(
        Kernel(
            node=op.name,
            op=op.type,
            source=kernel.source,
            positions=_positions(op, axis),
            in_axis=HWIO_IN,
            out_axis=HWIO_OUT,
            taps=taps,
            borders=layout.pads_with_zeros(op.node, taps),
        )
    )
    return Activation(op.shape(), layout.along(makes, axis, 4))


@RULES.register(
    'DepthwiseConv2dNative', attributes='T strides padding data_format dilations'
)
def depthwise_conv2d(op: Op, tracer: Tracer) -> Activation:
    """Channel c becomes the channels c * multiplier ... of the output."""
    x, axis = _image(op)
    kernel = op.weight(1)
    _freeze_axes(op, tracer, kernel, 0, 1, DEPTHWISE_MULTIPLIER)
    taps = kernel.shape[0] * kernel.shape[1]
    labels = tracer.use(op, kernel, DEPTHWISE_CHANNEL, PRODUCER)
    tracer.labels.unify(
        labels, x.labels.ravel(), f'reads fixed channels in {op.name!r}'
    )
    tracer.kernel(
        Kernel(
            node=op.name,
            op=op.type,
            source=kernel.source,
            positions=_positions(op, axis),
            in_axis=DEPTHWISE_CHANNEL,
            out_axis=DEPTHWISE_CHANNEL,
            taps=taps,
            borders=layout.pads_with_zeros(op.node, taps),
        )
    )
    out = np.repeat(labels, kernel.shape[DEPTHWISE_MULTIPLIER])
    return Activation(op.shape(), layout.along(out, axis, 4))


@RULES.register('MatMul', attributes='T transpose_a transpose_b')
def matmul(op: Op, tracer: Tracer) -> Activation:
    """A dense layer: activation `[batch, in]` times weight `[in, out]`."""
    x = op.activation(0)
    if op.attr('transpose_a').b or x.varies(0):
        raise Unsupported('a transposed activation')
    kernel = op.weight(1)
    in_axis, out_axis = (1, 0) if op.attr('transpose_b').b else (0, 1)
    reads = tracer.use(op, kernel, in_axis, CONSUMER)
    tracer.labels.unify(reads, x.labels[0], f'reads fixed channels in {op.name!r}')
    makes = tracer.use(op, kernel, out_axis, PRODUCER)
    tracer.kernel(
        Kernel(
            node=op.name,
            op=op.type,
            source=kernel.source,
            positions=1,
            in_axis=in_axis,
            out_axis=out_axis,
            taps=1,
            borders=False,
        )
    )
    return Activation(op.shape(), makes[np.newaxis])
