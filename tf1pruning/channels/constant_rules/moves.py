"""Values of constants, and of ops that move values without changing them.

An axis of size 1 stands for one along which nothing changes, whatever its real size.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import families, layout
from tf1pruning.channels.constants import (
    RULES,
    VARYING,
    ConstantOp,
    channel_vector,
    whole_numbers,
)
from tf1pruning.channels.registry import Unsupported
from tf1pruning.graph import nodes


@RULES.register('Const', attributes='dtype value')
def _const(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return nodes.constant_value(op.node)


@RULES.register('Shape', attributes='T out_type')
@RULES.register('ShapeN', attributes='T N out_type')
def _shapes(op: ConstantOp, inputs: Sequence[np.ndarray]) -> List[np.ndarray]:
    shapes = (op.input_shape(position) for position in range(len(inputs)))
    # Where a size changes with its channels, the trace lets no number depend on it.
    return [np.array(shape, np.float64) for shape in shapes]


@RULES.register('Rank', attributes='T')
def _rank(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.array(float(len(op.input_shape(0))))


@RULES.register('Range', attributes='Tidx')
def _range(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    if not tf.as_dtype(op.attr('Tidx').type).is_integer:
        raise Unsupported('a range of fractions')
    bounds = (whole_numbers(value)[0] for value in inputs)
    return np.array(layout.few_numbers(*bounds), np.float64)


@RULES.register_family(families.HAND_ON)
def _identity(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return inputs[0]


@RULES.register('IdentityN', attributes='T')
def _identity_n(op: ConstantOp, inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    return inputs


@RULES.register('Pad', 'PadV2', attributes='T Tpaddings')
def _pad(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, fill = inputs[0], float(inputs[2]) if len(inputs) == 3 else 0.0
    last = x.ndim - 1
    for axis, pair in enumerate(np.broadcast_to(inputs[1], (x.ndim, 2))):
        if not pair.any():
            continue
        if axis == last or x.shape[axis] > 1:
            # Channels are padded with channels of a known value.
            x = np.repeat(x, op.input_size(0, axis) // x.shape[axis], axis)
            widths = [[0, 0]] * x.ndim
            widths[axis] = whole_numbers(pair)
            x = np.pad(x, widths, 'constant', constant_values=fill)
        else:
            x = np.where(x == fill, fill, VARYING)
    return x


@RULES.register('MirrorPad', attributes='T Tpaddings mode')
def _mirror_pad(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    changes = np.array(x.shape)[:, np.newaxis] > 1
    paddings = np.where(changes, inputs[1], 0)
    mode = op.attr('mode').s.decode('utf-8').lower()  # NumPy calls them the same.
    return np.pad(x, np.reshape(whole_numbers(paddings), (-1, 2)), mode)


@RULES.register('All', 'Any', 'Max', 'Mean', 'Min', attributes='T Tidx keep_dims')
def _reduce(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, keep = inputs[0], op.attr('keep_dims').b
    axes = tuple(a % x.ndim for a in whole_numbers(inputs[1]))
    low, high = x.min(axis=axes, keepdims=keep), x.max(axis=axes, keepdims=keep)
    return np.where(low == high, low, VARYING)


@RULES.register('EuclideanNorm', 'Sum', attributes='T Tidx keep_dims')
def _sum(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x, keep = inputs[0].astype(np.float64), op.attr('keep_dims').b
    axes = tuple(a % x.ndim for a in whole_numbers(inputs[1]))
    sizes = [op.input_shape(0)[a] for a in axes if x.shape[a] == 1]
    if None in sizes:
        x = np.where(x == 0, x, VARYING)
    count = np.prod([size for size in sizes if size is not None])
    if op.node.op == 'EuclideanNorm':
        return np.sqrt(count * np.square(x).sum(axis=axes, keepdims=keep))
    return count * x.sum(axis=axes, keepdims=keep)


@RULES.register('Squeeze', attributes='T squeeze_dims')
def _squeeze(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.squeeze(inputs[0], layout.squeezed_axes(op.input_shape(0), op.node))


@RULES.register('ExpandDims', attributes='T Tdim')
def _expand_dims(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.expand_dims(inputs[0], int(inputs[1]))


@RULES.register('Transpose', attributes='T Tperm')
def _transpose(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.transpose(inputs[0], whole_numbers(inputs[1]))


@RULES.register('Reshape', attributes='T Tshape')
def _reshape(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return layout.reshape(inputs[0], op.input_shape(0), op.shape())


@RULES.register('Concat', attributes='T N')
@RULES.register('ConcatV2', attributes='T N Tidx')
def _concat(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    at, positions = layout.concatenated(op.node.op, len(inputs))
    rank = len(op.shape())
    axis = whole_numbers(inputs[at])[0] % rank
    rows = [
        channel_vector(inputs[position], axis, op.input_size(position, axis))
        for position in positions
    ]
    return layout.along(np.concatenate(rows), axis, rank)


@RULES.register('Pack', attributes='T N axis')
def _pack(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*inputs), op.attr('axis').i)


@RULES.register('Unpack', attributes='T num axis')
def _unpack(op: ConstantOp, inputs: Sequence[np.ndarray]) -> List[np.ndarray]:
    x, count = inputs[0], op.attr('num').i
    axis = op.attr('axis').i % x.ndim
    return [x.take(i % x.shape[axis], axis) for i in range(count)]


@RULES.register('Split', attributes='T num_split')
@RULES.register('SplitV', attributes='T Tlen num_split')
def _split(op: ConstantOp, inputs: Sequence[np.ndarray]) -> List[np.ndarray]:
    x, axis = inputs[::2] if op.node.op == 'SplitV' else inputs[::-1]
    count, along = op.attr('num_split').i, whole_numbers(axis)[0] % x.ndim
    if x.shape[along] == 1:
        return [x] * count
    bounds = np.cumsum([op.output_size(i, along) for i in range(count)])
    return np.split(x, bounds[:-1], along)


@RULES.register('Slice', attributes='T Index')
def _slice(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    for axis, start in enumerate(whole_numbers(inputs[1])):
        if x.shape[axis] > 1:
            x = x.take(range(start, start + op.output_size(0, axis)), axis)
    return x


@RULES.register(
    'StridedSlice',
    attributes='T Index begin_mask end_mask ellipsis_mask new_axis_mask '
    'shrink_axis_mask',
)
def _strided_slice(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    bounds = [whole_numbers(value) for value in inputs[1:]]
    index: List[object] = []
    for part in layout.strided_axes(op.node, x.ndim, len(bounds[0])):
        if part.axis >= 0 and x.shape[part.axis] == 1:
            index.append(0 if part.shrinks else slice(None))
        else:
            index.append(layout.strided_index(op.node, part, bounds))
    return x[tuple(index)]


@RULES.register('GatherV2', attributes='Tparams Tindices Taxis batch_dims')
@RULES.register('Gather', attributes='Tparams Tindices validate_indices')
def _gather(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    axis = whole_numbers(inputs[2])[0] % x.ndim if len(inputs) == 3 else 0
    if op.attr('batch_dims').i:
        raise Unsupported('indices for each example')
    if np.isnan(inputs[1].astype(np.float64)).any():
        return _rows(op, x, axis)
    indices = np.reshape(whole_numbers(inputs[1]), inputs[1].shape)
    return x.take(indices % x.shape[axis], axis)


@RULES.register(
    'ResourceGather', attributes='dtype Tindices batch_dims validate_indices'
)
def _resource_gather(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    if op.attr('batch_dims').i:
        raise Unsupported('indices for each example')
    return _rows(op, inputs[0], 0)


def _rows(op: ConstantOp, x: np.ndarray, axis: int) -> np.ndarray:
    """Rows that nobody knows: what is the same in all of them."""
    low, high = x.min(axis=axis), x.max(axis=axis)
    same = np.where(low == high, low, VARYING)
    new = (1,) * len(op.input_shape(1))
    return same.reshape((*same.shape[:axis], *new, *same.shape[axis:]))


@RULES.register('Tile', attributes='T Tmultiples')
def _tile(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            repeats = op.output_size(0, axis) // x.shape[axis]
            x = np.concatenate([x] * repeats, axis)
    return x


@RULES.register('BroadcastTo', attributes='T Tidx')
def _broadcast_to(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    return x.reshape((1,) * (len(op.shape()) - x.ndim) + x.shape)


@RULES.register('EnsureShape', attributes='T shape')
def _ensure_shape(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return inputs[0]


@RULES.register('Fill', attributes='T index_type')
def _fill(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.reshape(inputs[1], (1,) * len(op.shape()))


def _channels(op: ConstantOp, x: np.ndarray) -> Tuple[np.ndarray, int]:
    """`[channels]` values of an image, and the channel axis."""
    axis = op.channel_axis()
    return channel_vector(x, axis, op.input_size(0, axis)), axis


@RULES.register('DepthToSpace', attributes='T block_size data_format')
def _depth_to_space(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    channels, axis = _channels(op, inputs[0])
    rows = channels.reshape(op.attr('block_size').i ** 2, -1)
    equal = np.where((rows == rows[0]).all(axis=0), rows[0], VARYING)
    return layout.along(equal, axis, inputs[0].ndim)


@RULES.register('SpaceToDepth', attributes='T block_size data_format')
def _space_to_depth(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    channels, axis = _channels(op, inputs[0])
    repeated = np.tile(channels, op.attr('block_size').i ** 2)
    return layout.along(repeated, axis, inputs[0].ndim)


@RULES.register('SpaceToBatchND', attributes='T Tblock_shape Tpaddings')
@RULES.register('BatchToSpaceND', attributes='T Tblock_shape Tcrops')
def _batch_blocks(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    count = op.input_size(1, 0)
    blocks = np.broadcast_to(inputs[1], (count,))
    pads = np.broadcast_to(inputs[2], (count, 2))
    moved = (blocks != 1) | (pads != 0).any(axis=1)
    if any(x.shape[1 + axis] > 1 for axis in np.flatnonzero(moved)):
        raise Unsupported('values that change along a spatial axis')
    if op.node.op == 'SpaceToBatchND':
        # Zeros fill up the last block.
        return np.where(x == 0, 0.0, VARYING)
    return x
