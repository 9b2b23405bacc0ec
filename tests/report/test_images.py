from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.report import images


def decoded(data):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(tf.image.decode_png(data))


@pytest.mark.parametrize('shape', [(1, 1), (3, 5), (300, 2)])
def test_a_png_holds_the_pixels(shape):
    pixels = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)

    found = decoded(images.png(pixels))

    np.testing.assert_array_equal(found, pixels[:, :, None])


def test_brightness_is_the_norm_and_columns_are_measurements():
    history = images.NormHistory()
    history.add({'a': np.array([4.0, 0.0]), 'b': np.zeros(1)})
    history.add({'a': np.array([2.0, 1.0]), 'b': np.zeros(1)})

    found = history.pictures()

    assert found['a'].tolist() == [[255, 128], [0, 64]]
    assert found['b'].tolist() == [[0, 0]]


def test_small_pictures_are_enlarged():
    found = images.image(np.array([[0, 255]], np.uint8))

    assert (found.height, found.width, found.colorspace) == (256, 256, 1)
    pixels = decoded(found.encoded_image_string)[:, :, 0]
    assert (pixels[:, :128] == 0).all()
    assert (pixels[:, 128:] == 255).all()


def test_a_long_history_is_thinned_out():
    history = images.NormHistory()
    for number in range(1000):
        history.add({'a': np.array([float(number), 1000.0])})

    columns = history.pictures()['a']

    assert 256 <= columns.shape[1] <= images.MOST_COLUMNS
    assert (np.diff(columns[0].astype(int)) >= 0).all()


def test_nothing_measured_gives_no_picture():
    assert images.NormHistory().pictures() == {}
