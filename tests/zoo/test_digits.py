from __future__ import annotations

import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import Tf1PruningError
from tf1pruning.zoo import digits


def batches(input_fn, count):
    """The first `count` batches of an input function, as arrays."""
    with tf.Graph().as_default():
        batch = tf.data.make_one_shot_iterator(input_fn()).get_next()
        with tf.Session() as session:
            return [session.run(batch) for _ in range(count)]


def test_the_split_has_every_image_once():
    train, test = digits.load()

    assert (len(train), len(test)) == (1258, 539)
    rows = np.concatenate([train.images, test.images]).reshape(1797, 64)
    assert rows.sum() == 561718


def test_the_split_depends_on_the_seed_only():
    first, again, other = (digits.load(seed=seed)[1] for seed in (0, 0, 1))

    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels[:8], again.labels[:8])
    assert not np.array_equal(first.labels, other.labels)


def test_the_first_test_labels_stay_the_same_between_releases():
    _, test = digits.load()

    assert list(test.labels[:8]) == [9, 9, 7, 1, 8, 5, 0, 8]


def test_a_split_checks_its_shapes():
    with pytest.raises(ValueError, match=r'\(2, 8, 8\); expected \(2, 8, 8, 1\)'):
        digits.Split(np.zeros((2, 8, 8), np.uint8), np.zeros(2, np.int32))


def test_missing_scikit_learn_names_the_requirements_file(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn', None)

    with pytest.raises(Tf1PruningError, match=r'-r requirements-demo\.txt'):
        digits.load()


def test_eval_pipeline_gives_each_image_once_in_order():
    _, test = digits.load()

    (images, labels), _, (rest, _) = batches(digits.eval_input_fn(test, 256), 3)

    assert images.shape == (256, 32, 32, 1)
    assert images.dtype == np.float32
    assert rest.shape == (27, 32, 32, 1)
    np.testing.assert_array_equal(labels, test.labels[:256])


def test_pixels_0_and_16_become_minus_1_and_1():
    images = np.zeros((1, 8, 8, 1), np.uint8)
    images[0, :, 4:] = 16

    resized = digits.Split(images, np.zeros(1, np.int32)).preprocessed()

    assert resized[0, 0, 0, 0] == -1.0
    assert resized[0, 0, 31, 0] == 1.0


def test_train_pipeline_repeats_with_its_seed():
    train, _ = digits.load()
    input_fn = digits.train_input_fn(train, batch_size=4, seed=3)

    for first, again in zip(batches(input_fn, 2), batches(input_fn, 2)):
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])


def test_augmentation_moves_each_image_as_a_whole():
    white = digits.Split(np.full((64, 8, 8, 1), 16, np.uint8), np.zeros(64, np.int32))

    ((images, _),) = batches(digits.train_input_fn(white, 64, seed=0), 1)

    # What comes in is -1: whole rows and columns at the edges, the rest stays 1.
    rows = (images.max(axis=(2, 3)) == 1.0).sum(axis=1)
    columns = (images.max(axis=(1, 3)) == 1.0).sum(axis=1)
    assert set(rows) == set(columns) == {28, 29, 30, 31, 32}
    np.testing.assert_array_equal((images == 1.0).sum(axis=(1, 2, 3)), rows * columns)


def test_without_augmentation_images_stay_in_place():
    white = digits.Split(np.full((8, 8, 8, 1), 16, np.uint8), np.zeros(8, np.int32))

    ((images, _),) = batches(digits.train_input_fn(white, 8, 0, augment=False), 1)

    assert images.min() == 1.0
