from __future__ import annotations

import numpy as np
import pytest

from demo.datasets import registry
from tests.demo.datasets import files
from tf1pruning.errors import DataError

IMAGES, LABELS = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'


@pytest.mark.parametrize('ending', ['', '.gz'])
@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist'])
def test_idx_files_are_read_gzipped_or_not(name, ending, tmp_path):
    images, _ = files.write_mnist(tmp_path, ending)

    dataset = registry.load(name, str(tmp_path))

    assert (dataset.classes, dataset.image) == (10, (4, 4, 1))
    assert (dataset.train.count, dataset.test.count) == (3, 2)
    found, classes = files.read(dataset.train)
    np.testing.assert_array_equal(np.stack(found)[..., 0], images)
    assert classes == [3, 1, 2]
    np.testing.assert_array_equal(
        np.stack(files.read(dataset.test)[0])[..., 0], images[:2]
    )


def write(folder, name, content):
    (folder / name).write_bytes(content)


def shorten(folder, name, by):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-by])


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (
            lambda d: write(d, IMAGES, b'\x00\x00\x0d\x03' + bytes(60)),
            "begins with the bytes '00000d03'; expected '00000803'",
        ),
        (lambda d: write(d, IMAGES, b''), "begins with the bytes ''"),
        (
            lambda d: shorten(d, IMAGES, 5),
            'holds 43 bytes of values, and its head says 48',
        ),
        (lambda d: write(d, IMAGES, b'\0\0\x08\x03\0\0'), 'truncated or damaged'),
        (
            lambda d: files.write_idx(d / LABELS, np.array([3, 1], np.uint8)),
            '3 images and .* 2 labels',
        ),
        (
            lambda d: files.write_idx(d / LABELS, np.array([3, 10, 11], np.uint8)),
            '2 labels above 9, the first at position 1',
        ),
        (lambda d: (d / IMAGES).unlink(), "There is no 'train-images-idx3-ubyte'"),
        (
            lambda d: files.write_idx(
                d / 't10k-images-idx3-ubyte', np.zeros((2, 5, 4), np.uint8)
            ),
            r'\(4, 4, 1\) for training and \(5, 4, 1\) for tests',
        ),
    ],
)
def test_bad_files_are_named_with_what_is_wrong(damage, message, tmp_path):
    files.write_mnist(tmp_path)
    damage(tmp_path)

    with pytest.raises(DataError, match=message):
        registry.load('mnist', str(tmp_path))


def test_a_truncated_gzip_file_is_named(tmp_path):
    files.write_mnist(tmp_path, '.gz')
    shorten(tmp_path, IMAGES + '.gz', 12)

    with pytest.raises(DataError, match=r"ubyte\.gz' is damaged or truncated"):
        registry.load('mnist', str(tmp_path))
