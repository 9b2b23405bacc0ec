from __future__ import annotations

import numpy as np
import pytest

from demo.datasets import pipelines, registry
from tests.demo.datasets import files
from tf1pruning.errors import DataError

IMAGE = np.full((6, 9, 3), 77, np.uint8)


def write(folder, train=(0, 2), test=(1,)):
    files.write_records(
        folder / 'train-00000-of-00002', [files.example(IMAGE, n) for n in train[:1]]
    )
    files.write_records(
        folder / 'train-00001-of-00002', [files.example(IMAGE, n) for n in train[1:]]
    )
    files.write_records(
        folder / 'validation-00000-of-00001', [files.example(IMAGE, n) for n in test]
    )
    (folder / 'labels.txt').write_text('0:cat\n1:dog\n2:bird\n')


def test_sharded_records_are_read_in_order(tmp_path):
    write(tmp_path)

    dataset = registry.load('tfrecords', str(tmp_path))

    assert (dataset.classes, dataset.train.count, dataset.test.count) == (3, 2, 1)
    images, labels = files.read(dataset.train)
    assert labels == [0, 2]
    np.testing.assert_array_equal(images[0], IMAGE)


def test_imagenet_has_the_labels_of_tf_slim(tmp_path):
    write(tmp_path, train=(1, 1000))

    dataset = registry.load('imagenet', str(tmp_path))

    assert (dataset.classes, dataset.scaling) == (1001, 'vgg')
    assert files.read(dataset.train)[1] == [1, 1000]


def test_a_wrong_label_further_on_stops_the_pipeline(tmp_path):
    write(tmp_path)
    examples = [files.example(IMAGE, 0), files.example(IMAGE, 3)]
    files.write_records(tmp_path / 'train-00001-of-00002', examples)
    dataset = registry.load('tfrecords', str(tmp_path))

    with pytest.raises(DataError, match='not between 0 and 2'):
        pipelines.arrays(dataset, dataset.train)


def shard(folder):
    return folder / 'train-00001-of-00002'


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (
            lambda d: shard(d).write_bytes(shard(d).read_bytes()[:-3]),
            'truncated in record 0',
        ),
        (lambda d: shard(d).write_bytes(b'no records'), 'or no TFRecord file'),
        (lambda d: shard(d).write_bytes(b''), 'is empty; expected TFRecords'),
        (
            lambda d: files.write_records(shard(d), [files.example(IMAGE, 3)]),
            r'has label \[3\]; expected one between 0 and 2',
        ),
        (
            lambda d: files.write_records(
                shard(d), [files.example(IMAGE, 1, without=['image/class/label'])]
            ),
            "lack 'image/class/label'; they have 'image/encoded'",
        ),
        (
            lambda d: (d / 'labels.txt').write_text('\n'),
            'is empty; expected a line per',
        ),
        (lambda d: (d / 'labels.txt').unlink(), r"labels\.txt' cannot be read"),
        (
            lambda d: (d / 'validation-00000-of-00001').unlink(),
            "no file with 'test' or 'validation' or 'val' in its name",
        ),
    ],
)
def test_bad_records_are_named_with_what_is_wrong(damage, message, tmp_path):
    write(tmp_path)
    damage(tmp_path)

    with pytest.raises(DataError, match=message):
        registry.load('tfrecords', str(tmp_path))
