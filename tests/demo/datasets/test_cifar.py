from __future__ import annotations

import numpy as np
import pytest

from demo.datasets import registry
from tests.demo.datasets import files
from tf1pruning.errors import DataError

TRAIN_10 = [f'data_batch_{n}.bin' for n in range(1, 6)]
# Rows 0, 1, 2 ... of the red plane, then the same plus 100 and 200.
PLANES = np.repeat(np.arange(32, dtype=np.uint8), 32).reshape(32, 32)
IMAGE = np.stack([PLANES, PLANES + 100, PLANES + 200], axis=-1)


def record(*labels):
    return bytes(labels) + IMAGE.transpose(2, 0, 1).tobytes()


@pytest.fixture
def cifar10(tmp_path):
    for number, name in enumerate(TRAIN_10):
        (tmp_path / name).write_bytes(record(number) + record(9))
    (tmp_path / 'test_batch.bin').write_bytes(record(7))
    return tmp_path


def test_cifar_10_is_read_from_its_binary_release(cifar10):
    dataset = registry.load('cifar10', str(cifar10))

    assert (dataset.classes, dataset.image) == (10, (32, 32, 3))
    images, labels = files.read(dataset.train)
    assert labels == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    np.testing.assert_array_equal(images[3], IMAGE)
    assert files.read(dataset.test)[1] == [7]


def test_cifar_100_has_fine_labels(tmp_path):
    (tmp_path / 'train.bin').write_bytes(record(19, 99) + record(3, 42))
    (tmp_path / 'test.bin').write_bytes(record(0, 1))

    dataset = registry.load('cifar100', str(tmp_path))

    assert dataset.classes == 100
    images, labels = files.read(dataset.train)
    assert labels == [99, 42]
    np.testing.assert_array_equal(images[0], IMAGE)


def test_cifar_is_read_from_tfrecords(tmp_path):
    for part, labels in (('train', [3, 9]), ('test', [0])):
        examples = [files.example(IMAGE, label) for label in labels]
        files.write_records(tmp_path / f'cifar10_{part}.tfrecord', examples)

    dataset = registry.load('cifar10', str(tmp_path))

    images, labels = files.read(dataset.train)
    assert labels == [3, 9]
    np.testing.assert_array_equal(images[1], IMAGE)
    assert dataset.test.count == 1


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('data_batch_2.bin', record(1)[:-1], '3072 bytes; expected a multiple of 3073'),
        ('data_batch_2.bin', b'', '0 bytes'),
        ('test_batch.bin', record(1) + record(10), '1 labels above 9.* record 1'),
    ],
)
def test_bad_binary_files_are_named(name, content, message, cifar10):
    (cifar10 / name).write_bytes(content)

    with pytest.raises(DataError, match=f'{name}.*{message}'):
        registry.load('cifar10', str(cifar10))


def test_a_missing_binary_file_is_named(cifar10):
    (cifar10 / 'data_batch_4.bin').unlink()

    with pytest.raises(
        DataError, match=r"no '.*data_batch_4\.bin', and other files are"
    ):
        registry.load('cifar10', str(cifar10))


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(DataError, match=r'neither the \.bin files of cifar100 nor'):
        registry.load('cifar100', str(tmp_path))
