from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from demo.datasets import pipelines
from tests import by_version
from tests.demo.datasets.files import batches_of
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError, OptionError

SHAPE = (16, 16, 3)


def split_of(images):
    labels = np.arange(len(images), dtype=np.int32)
    return Split(
        lambda: tf.data.Dataset.from_tensor_slices((images, labels)), len(images)
    )


def broken():
    """A pipeline of one image that is none."""
    texts = tf.data.Dataset.from_tensors((b'no image', 0))
    return texts.map(lambda text, y: (tf.image.decode_jpeg(text, channels=3), y))


BROKEN = Split(broken, 1)
UNREADABLE = f"Data set 'made_up' cannot be read: {by_version.NO_IMAGE}"


def dataset_of(images, shape=SHAPE, **options):
    split = split_of(images)
    return Dataset('made_up', split, split, len(images), shape, **options)


def noise(count=4, size=16):
    return np.random.RandomState(0).randint(0, 256, [count, size, size, 3], np.uint8)


@pytest.mark.parametrize(
    ('scaling', 'pixel', 'expected'),
    [
        ('unit', [0, 51, 255], [0, 0.2, 1]),
        ('centred', [0, 51, 255], [-1, -0.6, 1]),
        # Blue, green, red.
        ('vgg', [0, 51, 255], [255 - 103.939, 51 - 116.779, -123.68]),
    ],
)
def test_pixels_are_scaled(scaling, pixel, expected):
    images = np.tile(np.array(pixel, np.uint8), (1, 16, 16, 1))

    found, labels = pipelines.arrays(
        dataset_of(images, scaling=scaling), split_of(images)
    )

    np.testing.assert_allclose(found[0, 3, 5], expected, rtol=1e-5)
    assert list(labels) == [0]


def test_evaluation_gives_each_image_once_in_order():
    images = noise(5)

    found, labels = pipelines.arrays(dataset_of(images), split_of(images))

    np.testing.assert_allclose(found, images / 127.5 - 1, atol=1e-6)
    assert list(labels) == [0, 1, 2, 3, 4]


def test_samples_are_all_training_images_in_another_order():
    images = noise(12)
    dataset = dataset_of(images)

    def labels(seed):
        return list(batches_of(pipelines.sample_input_fn(dataset, seed))[0][1])

    assert sorted(labels(1)) == list(range(12))
    assert labels(1) == labels(1) != labels(2) != list(range(12))


@pytest.mark.parametrize(
    'name', ['none', 'shift', 'shift_batch', 'shift_flip', 'flips_rotate']
)
def test_augmentation_keeps_the_shape_and_follows_its_seed(name):
    dataset = dataset_of(noise())
    input_fn = pipelines.train_input_fn(dataset, 3, seed=1, augmentation=name)

    first, again = batches_of(input_fn, 3), batches_of(input_fn, 3)

    assert first[0][0].shape == (3, *SHAPE)
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one[0], other[0])


@pytest.mark.parametrize('name', ['shift', 'shift_batch'])
def test_a_shift_brings_in_black_at_the_edges_only(name):
    white = dataset_of(np.full((64, *SHAPE), 255, np.uint8), scaling='unit')

    ((images, _),) = batches_of(pipelines.train_input_fn(white, 64, 0, name))

    # Whole rows and columns come in, the rest stays.
    rows = (images.max(axis=(2, 3)) == 1).sum(axis=1)
    columns = (images.max(axis=(1, 3)) == 1).sum(axis=1)
    assert set(rows) == set(columns) == {14, 15, 16}
    np.testing.assert_array_equal((images == 1).sum(axis=(1, 2, 3)), 3 * rows * columns)


def test_small_images_are_enlarged_in_training_and_tests():
    images = np.zeros((1, 2, 2, 1), np.uint8)
    images[0, :, 1] = 16
    dataset = dataset_of(images, (8, 8, 1), scaling='sixteenths', enlarged=True)

    ((trained, _),) = batches_of(pipelines.train_input_fn(dataset, 1, 0))
    ((tested, _),) = pipelines.batches(dataset)

    np.testing.assert_array_equal(trained, tested)
    # Between the two columns of pixels lie mixtures of them.
    expected = [-1, -0.5, 0, 0.5, 1, 1, 1, 1]
    np.testing.assert_allclose(tested[0, 3, :, 0], expected)


def test_an_image_that_cannot_be_read_is_an_error_of_the_data():
    with pytest.raises(DataError) as error:
        list(pipelines.batches(dataset_of(noise()), BROKEN))

    assert str(error.value) == UNREADABLE


def test_an_image_that_a_training_cannot_read_is_one_line():
    dataset = dataset_of(noise())
    input_fn = pipelines.train_input_fn(dataset, 2, 0, split=BROKEN)

    with pytest.raises(DataError) as error, pipelines.named_errors(dataset):
        batches_of(input_fn)

    assert str(error.value) == UNREADABLE


def test_other_errors_of_a_training_stay_what_they_are():
    dataset = dataset_of(noise())

    with tf.Graph().as_default(), tf.Session() as session:
        pipeline = pipelines.eval_input_fn(dataset)()
        images, _ = tf.data.make_one_shot_iterator(pipeline).get_next()
        loss = tf.check_numerics(images + np.nan, 'of the loss')
        with pytest.raises(
            tf.errors.InvalidArgumentError, match='of the loss'
        ), pipelines.named_errors(dataset):
            session.run(loss)


def test_a_rotation_keeps_what_is_at_the_centre():
    images = np.zeros((1, 17, 17, 3), np.uint8)
    images[0, 8, 8] = images[0, 8, 15] = 255
    dataset = dataset_of(images, (17, 17, 3), scaling='unit')

    ((found, _),) = batches_of(pipelines.train_input_fn(dataset, 16, 0, 'flips_rotate'))

    np.testing.assert_array_equal(found[:, 8, 8], 1)
    # 7 pixels from the centre, 20 degrees are at most 2.4 pixels up or down.
    rows = {int(row) for row in np.argwhere(found[..., 0])[:, 1]}
    assert rows <= {6, 7, 8, 9, 10}
    assert len(rows) >= 3


def test_images_of_varying_sizes_are_resized_and_cropped():
    columns = np.tile(np.arange(0, 240, 2, dtype=np.uint8), (80, 1))
    images = np.stack([columns] * 3, axis=-1)[np.newaxis]
    dataset = dataset_of(
        images, scaling='unit', augmentation='crop_flip', sizes_vary=True
    )

    ((trained, _),) = batches_of(pipelines.train_input_fn(dataset, 8, 0))
    tested, _ = pipelines.arrays(dataset, dataset.test)

    assert trained.shape == (8, *SHAPE)
    assert len({float(image[0, 0, 0]) for image in trained}) > 4
    # 80 x 120 becomes 48 x 72; the 16 columns in the middle are 46.67 to 73.33 of 120.
    np.testing.assert_allclose(tested[0, 0, 0, 0], 2 * 46.67 / 255, atol=0.01)
    np.testing.assert_allclose(tested[0, 0, 15, 0], 2 * 71.67 / 255, atol=0.01)


def test_a_part_of_a_split_has_its_images():
    split = pipelines.part(split_of(noise(6)), 2, 5)

    _, labels = pipelines.arrays(dataset_of(noise(6)), split)

    assert (split.count, list(labels)) == (3, [2, 3, 4])


def test_a_part_outside_the_split_is_refused():
    with pytest.raises(
        OptionError, match='no images 2 to 7; expected a range within 0 to 6'
    ):
        pipelines.part(split_of(noise(6)), 2, 7)


@pytest.mark.parametrize(
    ('options', 'name', 'message'),
    [
        ({}, 'shft', "'shft': expected one of"),
        ({}, 'crop_flip', "does not fit 'made_up'"),
        (
            {'sizes_vary': True},
            'shift',
            "expected 'crop_flip' for images of varying sizes",
        ),
    ],
)
def test_an_augmentation_that_does_not_fit_is_refused(options, name, message):
    dataset = dataclasses.replace(dataset_of(noise()), **options)

    with pytest.raises(OptionError, match=message):
        pipelines.train_input_fn(dataset, 2, 0, name)
