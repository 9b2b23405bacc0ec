from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.channels.layout import Strided
from tf1pruning.channels.registry import Unsupported

CHANNELS = np.array([[[[1, 2, 3]]]])


def test_unchanging_axes_are_compressed_also_where_they_hold_nan():
    array = np.array([[1.0, np.nan], [1.0, np.nan]])

    np.testing.assert_array_equal(layout.compress(array), [[1.0, np.nan]])
    assert layout.compress(np.ones([2, 3])).tolist() == [[1.0]]


def test_flattening_repeats_the_channels_for_every_pixel():
    found = layout.reshape(CHANNELS, (None, 2, 1, 3), (None, 6))

    assert found.tolist() == [[1, 2, 3, 1, 2, 3]]


def test_unflattening_undoes_it():
    flat = np.array([[1, 2, 3, 1, 2, 3]])

    found = layout.reshape(flat, (None, 6), (None, 2, 1, 3))

    np.testing.assert_array_equal(found, CHANNELS)


def test_splitting_channels_gives_labels_on_two_axes():
    found = layout.reshape(np.arange(6).reshape(1, 6), (None, 6), (None, 2, 3))

    assert found.tolist() == [[[0, 1, 2], [3, 4, 5]]]


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ((None, None, 1, 3), (None, 6)),
        ((None, 2, 1, 3), (None, None)),
        ((None, 2, 1, 3), (6, None)),
        ((None, 2, 1, 3), (None, 4)),
        ((2, 2, 1, 3), (2, 5)),
    ],
)
def test_sizes_that_cannot_be_known_are_unsupported(before, after):
    with pytest.raises(Unsupported, match='a reshape'):
        layout.reshape(CHANNELS, before, after)


def test_a_reshape_to_other_sizes_of_as_many_axes_moves_the_axes():
    assert layout.same_axes((4, 2), (2, 4)) is None


def test_an_ellipsis_beside_a_new_axis_stands_for_all_other_axes():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 12])
        node = x[tf.newaxis, ..., :8].op.node_def

    assert layout.strided_axes(node, 4, 3) == [
        Strided(0, -1, False),
        *(Strided(None, axis, False) for axis in range(3)),
        Strided(2, 3, False),
    ]
