from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.demo.datasets import files
from tests.sampling import inputs
from tf1pruning.errors import DataError, OptionError
from tf1pruning.sampling import recorded


def images(folder, count=6):
    """Two files of grey images, the number of each its brightness."""
    for part in range(2):
        numbers = range(part, count, 2)
        examples = [
            files.example(np.full((2, 2, 3), number, np.uint8), 0) for number in numbers
        ]
        files.write_records(folder / f'train-0000{part}-of-00002', examples)


def example(**features):
    found = {
        key: tf.train.Feature(float_list=tf.train.FloatList(value=values))
        for key, values in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=found))


def source(path, shape, **options):
    wanted = inputs.wanted({'x': (tf.float32, shape)}, **options)
    return recorded.of_records(wanted, recorded.record_files(str(path)))


def read(found, rows):
    return np.concatenate([batch['x'] for batch in found.read(np.array(rows), 2)])


@pytest.mark.parametrize('pattern', ['', 'train-*'])
def test_encoded_images_of_all_files_are_drawn_in_an_order_that_stays(
    tmp_path, pattern
):
    images(tmp_path)
    (tmp_path / 'labels.txt').write_text('0:grey\n')

    found = source(tmp_path / pattern, [None, 2, 2, 3], image_range=(0, 255))

    values = read(found, range(6)).mean(axis=(1, 2, 3)).round().astype(int).tolist()
    assert sorted(values) == list(range(6)) != values
    assert read(found, [1, 4]).mean(axis=(1, 2, 3)).round().tolist() == [
        values[1],
        values[4],
    ]


def test_numbers_get_the_shape_of_the_input(tmp_path):
    path = tmp_path / 'data.tfrecord'
    files.write_records(path, [example(x=[n, 1.0, 2.0, 3.0]) for n in range(3)])

    found = source(path, [None, 2, 2], feature_key='x')

    arrays = read(found, range(3))
    assert sorted(arrays[:, 0, 0].tolist()) == [0, 1, 2]
    assert arrays[0, 0, 1] == 1
    assert arrays[0, 1].tolist() == [2, 3]


@pytest.mark.parametrize(
    ('values', 'shape', 'options', 'error', 'message'),
    [
        ([1.0], [None, 2], {}, DataError, r"record 0 of '.*' lacks 'image/encoded'"),
        (
            [1.0],
            [None, 2],
            {'feature_key': 'x'},
            DataError,
            r"'x' in record 0 of .* has 1 numbers; expected 2, for the shape \(2,\)",
        ),
        (
            [],
            [None, 2],
            {'feature_key': 'x'},
            DataError,
            "'x' in record 0 .* has 0 numbers",
        ),
        (
            [1.0],
            [None, None],
            {'feature_key': 'x'},
            DataError,
            'need one that is known',
        ),
        (
            [1.0],
            [None, 1],
            {'feature_key': 'x', 'image_range': (0, 1)},
            OptionError,
            "read without 'image_range'",
        ),
        ([np.nan], [None, 1], {'feature_key': 'x'}, DataError, 'NaN or infinite'),
    ],
)
def test_records_that_do_not_fit_are_named(
    tmp_path, values, shape, options, error, message
):
    path = tmp_path / 'data.tfrecord'
    files.write_records(path, [example(x=values)])

    with pytest.raises(error, match=message):
        read(source(path, shape, **options), [0])


def test_what_holds_no_records_is_named(tmp_path):
    path = tmp_path / 'data.tfrecord'
    with pytest.raises(DataError, match=r'no data at .* a folder of images'):
        source(path, [None, 2])
    path.write_bytes(b'')
    with pytest.raises(DataError, match='have no record'):
        source(path, [None, 2])
    path.write_bytes(b'no records at all')
    with pytest.raises(DataError, match='no TFRecord file'):
        source(path, [None, 2])


def test_a_record_that_lacks_its_image_is_named_as_it_is_read(tmp_path):
    images(tmp_path, 2)
    files.write_records(tmp_path / 'train-00001-of-00002', [example(x=[1.0])])
    found = source(tmp_path, [None, 2, 2, 3], image_range=(0, 1))

    with pytest.raises(DataError, match=r"^record 0 of '.*00001-of.* lacks 'image/"):
        read(found, [0, 1])
