"""Ops that move values: reductions, parts, other shapes."""

from __future__ import annotations

from typing import Callable, Tuple

import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels.families.row import WIDTH, family


def concat(axis: int, width: int):
    return lambda x: tf.concat([x, networks.conv(x, width, name='other')], axis)


def flatten(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, 8 * 8 * WIDTH])


def transposed(x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.relu(tf.transpose(x, [0, 3, 1, 2]))
    return tf.transpose(x, [0, 2, 3, 1])


def pool_squeeze_expand(x: tf.Tensor) -> tf.Tensor:
    x = tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True), [1, 2])
    return tf.expand_dims(tf.expand_dims(x, 1), 1)


def pool_reshape(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.reduce_mean(x, [1, 2]), [-1, 1, 1, WIDTH])


def pack_batch(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, tf.stack([tf.shape(x)[0], 8, 8, WIDTH]))


def part_of_constant(x: tf.Tensor) -> tf.Tensor:
    """What `tf.shape` of a static shape and a slice of it become."""
    sizes = tf.constant([5, 8, 8, WIDTH])
    return tf.reshape(x, tf.stack([-1, sizes[1], sizes[2], sizes[3]]))


def pads(*corners: Tuple[int, int]):
    return [[0, 0], *corners, [0, 0]]


def shuffle(x: tf.Tensor) -> tf.Tensor:
    x = tf.reshape(x, [-1, 8, 8, 3, 4])
    return tf.reshape(tf.transpose(x, [0, 1, 2, 4, 3]), [-1, 8, 8, WIDTH])


def shuffle_dynamic(x: tf.Tensor) -> tf.Tensor:
    n, h, w, c = tf.unstack(tf.shape(x))
    x = tf.transpose(tf.reshape(x, [n, h, w, 2, c // 2]), [0, 1, 2, 4, 3])
    return tf.reshape(x, [-1, 8, 8, WIDTH])


def split(sizes):
    def build(x: tf.Tensor) -> tf.Tensor:
        parts = tf.split(x, sizes, axis=-1)
        return tf.concat([parts[1], *parts[2:], tf.tanh(parts[0])], -1)

    return build


def rows_apart(x: tf.Tensor) -> tf.Tensor:
    top, bottom = tf.split(x, 2, axis=1)
    left, right = tf.split(top + bottom, [3, 5], axis=2)
    return tf.concat([right, left], 2)


def unstacked(x: tf.Tensor) -> tf.Tensor:
    rows = tf.unstack(x, axis=1)
    return tf.stack(rows[::-1], axis=1)


def slices(x: tf.Tensor) -> tf.Tensor:
    head, tail = tf.slice(x, [0, 0, 0, 0], [-1, 8, 8, 4]), x[..., 4:]
    return tf.concat(
        [tf.slice(tail, [0, 1, 1, 2], [-1, 6, 6, -1]), head[:, 1:7, 1:7]], 3
    )


def strided(x: tf.Tensor) -> tf.Tensor:
    y = x[:, tf.newaxis, 1:7, ::2, :8]
    return tf.concat([y[:, 0, ..., -3:], x[:, 1:7, ::2]], -1)


def gathered(x: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, [7, 2, 2, 11, 0, 5, 1, 3, 10, 4, 8, 9, 6], axis=-1)


def gathered_rows(x: tf.Tensor) -> tf.Tensor:
    rows = tf.gather(x, [[0, 3], [1, 2]], axis=1)
    return tf.reduce_mean(tf.gather(tf.reduce_mean(rows, 2), 1, axis=1), 1)


def gathered_first(x: tf.Tensor) -> tf.Tensor:
    x = tf.transpose(x, [3, 0, 1, 2])
    x = tf.raw_ops.Gather(params=x, indices=[4, 3, 9, 11, 0, 1, 10, 2, 5, 8, 7, 6])
    return tf.transpose(x, [1, 2, 3, 0])


def tiled(x: tf.Tensor) -> tf.Tensor:
    return tf.tile(x, [1, 1, 2, 3])


def padded_channels(x: tf.Tensor) -> tf.Tensor:
    """The shortcut of ResNet, option A: subsampled, zeros for the new channels."""
    short = tf.pad(x[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [4, 4]])
    return short + networks.conv(x, WIDTH + 8, name='other', strides=2)


def padded_with_twos(x: tf.Tensor) -> tf.Tensor:
    wide = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 4]], constant_values=2.0)
    return tf.tanh(wide) + networks.conv(x, WIDTH + 4, name='other')


def joined_with_zeros(x: tf.Tensor) -> tf.Tensor:
    zeros = tf.fill(tf.stack([tf.shape(x)[0], 8, 8, 4]), 0.5)
    return tf.concat([x, zeros], -1) + networks.conv(x, WIDTH + 4, name='other')


def ones_of_the_same_shape(x: tf.Tensor) -> tf.Tensor:
    return x + tf.fill(tf.shape(x), 0.5)


def pixel_shuffle(x: tf.Tensor) -> tf.Tensor:
    x = networks.conv(x, 8, name='wide', use_bias=False)
    return tf.nn.relu(tf.depth_to_space(x, 2))


def padded_to_multiple(x: tf.Tensor) -> tf.Tensor:
    """As many rows as a multiple of 5 has; nobody knows how many come."""
    x = x[:, tf.shape(x)[0] - tf.shape(x)[0] :]
    missing = tf.mod(-tf.shape(x)[1], 5)
    return tf.pad(x, [[0, 0], [0, missing], [0, tf.mod(-tf.shape(x)[2], 5)], [0, 0]])


def mirrored_to_multiple(x: tf.Tensor) -> tf.Tensor:
    rows = tf.mod(-tf.shape(x)[:2], 5)
    return tf.pad(x, tf.stack([[0, 0], rows * [0, 1], [1, 1], [0, 0]]), 'SYMMETRIC')


def time_to_batch(x: tf.Tensor) -> tf.Tensor:
    """A dilated convolution as WaveNet writes it."""
    x = tf.reshape(x, [-1, 64, WIDTH])
    shape = tf.shape(x)
    missing = 2 - (shape[1] + 2) % 3
    x = tf.reshape(tf.pad(x, [[0, 0], [0, missing], [0, 0]]), [-1, 3, shape[2]])
    x = tf.reshape(tf.transpose(x, [1, 0, 2]), [shape[0] * 3, -1, shape[2]])
    x = tf.nn.conv1d(x, tf.get_variable('inner/kernel', [2, WIDTH, 10]), 1, 'SAME')
    return tf.reduce_mean(tf.reshape(x, [shape[0], -1, 10]), 1)


def time_major(x: tf.Tensor) -> tf.Tensor:
    """The permutation that recurrent networks compute from the rank."""
    order = tf.concat([[1, 0], tf.range(2, tf.rank(x))], 0)
    x = tf.transpose(tf.nn.relu(tf.transpose(x, order)), order)
    last = tf.size(tf.shape_n([x, x])[1]) - 1
    return tf.concat([x, tf.reverse(x, [1])], last)


def norm(x: tf.Tensor, axes, keepdims: bool = False) -> tf.Tensor:
    return tf.raw_ops.EuclideanNorm(input=x, axis=axes, keep_dims=keepdims)


def energy(x: tf.Tensor) -> tf.Tensor:
    return x * tf.rsqrt(1.0 + tf.reduce_sum(tf.square(x), -1, keepdims=True))


def best_channel(function: Callable[[tf.Tensor, int], tf.Tensor]):
    return lambda x: x * tf.cast(function(x, -1), tf.float32)[..., tf.newaxis]


_REDUCTIONS = {
    'Mean': tf.reduce_mean,
    'Max': tf.reduce_max,
    'Min': tf.reduce_min,
    'Prod': lambda x, axes, **k: tf.reduce_prod(1.0 + 0.1 * tf.tanh(x), axes, **k),
    'EuclideanNorm': lambda x, axes, **k: 0.1 * norm(x, axes, **k),
    'All': lambda x, axes, **k: (
        tf.cast(tf.reduce_all(x > -1.0, axes, **k), x.dtype)
        * tf.reduce_mean(x, axes, **k)
    ),
    'Any': lambda x, axes, **k: (
        tf.cast(tf.reduce_any(x > 0.5, axes, **k), x.dtype)
        * tf.reduce_mean(x, axes, **k)
    ),
    'Sum': lambda x, axes, **k: 0.1 * tf.reduce_sum(x, axes, **k),
}
_RESIZES = {
    'ResizeArea': tf.image.resize_area,
    'ResizeBicubic': tf.image.resize_bicubic,
    'ResizeBilinear': tf.image.resize_bilinear,
    'ResizeNearestNeighbor': tf.image.resize_nearest_neighbor,
}


ROWS = (
    *(family(name, lambda x, f=f: f(x, [1, 2])) for name, f in _REDUCTIONS.items()),
    *(
        family(f'{name} that keeps axes', lambda x, f=f: f(x, [1, 2], keepdims=True))
        for name, f in _REDUCTIONS.items()
    ),
    *(family(name, lambda x, f=f: f(x, [5, 6])) for name, f in _RESIZES.items()),
    family('concat of channels', concat(-1, 5), other=5),
    family('concat of rows', concat(1, WIDTH)),
    family('split into equal parts', split(3), first=4),
    family(
        'split into parts',
        split([5, 3, -1]),
        **{'first': 5, 'first#2': 3, 'first#3': 4},
    ),
    family('split of rows and columns', rows_apart),
    family('Unpack and Pack', unstacked),
    family('Slice', slices, **{'first': 4, 'first#2': 2, 'first#3': 6}),
    family('StridedSlice', strided, **{'first': 5, 'first#2': 3, 'first#3': 4}),
    family('GatherV2 of channels', gathered, **{'first': 11, 'first#2': 1}),
    family('Gather of channels', gathered_first),
    family('GatherV2 of rows', gathered_rows),
    family('Tile', tiled),
    family('flatten', flatten),
    family('flatten by layer', tf.layers.flatten),
    family('transpose', transposed),
    family('channel shuffle', shuffle, first=4),
    family('channel shuffle with computed sizes', shuffle_dynamic, first=0),
    family('DepthToSpace', pixel_shuffle, wide=2),
    family('SpaceToDepth', lambda x: tf.space_to_depth(x, 2)),
    family('squeeze and expand', pool_squeeze_expand),
    family('reshape of the pooled', pool_reshape),
    family('reshape with packed sizes', pack_batch),
    family('reshape with sizes from a constant', part_of_constant),
    family('MaxPool', lambda x: tf.nn.max_pool2d(x, 3, 2, 'SAME')),
    family('AvgPool', lambda x: tf.nn.avg_pool2d(x, 3, 2, 'SAME')),
    family('Pad', lambda x: tf.pad(x, pads([1, 2], [0, 1]))),
    family('PadV2', lambda x: tf.pad(x, pads([1, 2], [0, 1]), constant_values=3.0)),
    family('MirrorPad', lambda x: tf.pad(x, pads([1, 2], [0, 1]), 'REFLECT')),
    family('Pad of channels', padded_channels, other=8),
    family('PadV2 of channels', padded_with_twos, other=4),
    family('Fill, joined', joined_with_zeros, other=4),
    family('Fill of the same shape', ones_of_the_same_shape),
    family('Softmax', tf.nn.softmax, first=0),
    family('LogSoftmax', tf.nn.log_softmax, first=0),
    family('LRN', tf.nn.lrn, first=0),
    family('ArgMax', best_channel(tf.argmax), first=0),
    family('ArgMin', best_channel(tf.argmin), first=0),
    family('L2Loss', lambda x: x / (1.0 + tf.nn.l2_loss(x))),
    family('Sum over channels', energy),
    family('Pad by computed rows', padded_to_multiple),
    family('MirrorPad by computed rows', mirrored_to_multiple),
    family('time to batch', time_to_batch, inner=10),
    family('computed permutation', time_major),
    family('l2_normalize', lambda x: tf.nn.l2_normalize(x, -1)),
    family('Softmax of rows', lambda x: tf.nn.softmax(x, axis=1)),
    family('LogSoftmax of rows', lambda x: tf.nn.log_softmax(x, axis=1)),
)
