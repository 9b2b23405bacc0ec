from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.report import contact_sheet


def decoded(sheet):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(tf.image.decode_png(sheet.png))


@pytest.mark.parametrize('first', [False, True])
def test_images_lie_in_rows_of_four_from_their_own_black_to_white(first):
    images = np.zeros([6, 40, 80, 3], np.float32)
    images[5] = 7.0
    images[5, :, :, 2] = [-1.0]
    fed = images.transpose(0, 3, 1, 2) if first else images

    sheet = contact_sheet.draw({'x': fed})

    pixels = decoded(sheet)
    assert pixels.shape == (2 * 84, 4 * 84, 3)
    # The sixth is second in the second row: its last channel is black.
    assert pixels[84, 84].tolist() == [255, 255, 0]
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[84, 2 * 84].tolist() == [255, 255, 255]


def test_figures_are_those_of_each_channel_and_in_the_file():
    images = np.zeros([2, 4, 4, 3])
    images[0, :, :, 1] = 2

    sheet = contact_sheet.draw({'x': images})

    assert str(sheet) == ('x: 2 of 4x4x3, min 0 0 0, max 0 2 0, mean 0 1 0, std 0 1 0.')
    assert b'tEXtDescription\0' + str(sheet).encode() in sheet.png


def test_other_inputs_are_maps_or_a_line():
    sheet = contact_sheet.draw(
        {
            'rows': np.eye(20, 30),
            'maps': np.zeros([3, 5, 6]),
            'features': np.zeros([2, 5, 6, 7]),
            'words': np.array(['a']),
            'on': np.array(True),
        }
    )

    assert decoded(sheet).shape[2] == 3
    assert [line.partition(',')[0] for line in sheet.lines] == [
        'rows: 16 of 30',
        'maps: 3 of 5x6',
        'features: 2 of 5x6x7',
        'words: <U1',
        'on: bool',
    ]
    assert [line.endswith('not drawn.') for line in sheet.lines] == [False] * 3 + [
        True
    ] * 2


def test_the_largest_numbers_are_drawn():
    images = np.full([1, 40, 40, 1], np.finfo(np.float32).max, np.float32)
    images[:, :20] *= -1

    pixels = decoded(contact_sheet.draw({'x': images}))

    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[60, 0].tolist() == [255, 255, 255]


def test_nothing_to_draw_gives_no_picture():
    assert contact_sheet.draw({'ids': np.arange(3)}).png is None


def test_large_images_get_smaller():
    assert decoded(contact_sheet.draw({'x': np.zeros([1, 900, 900, 1])})).shape[0] < 400
