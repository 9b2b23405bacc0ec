from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from demo.datasets import registry
from tests.demo.datasets import files
from tf1pruning.errors import DataError


@pytest.fixture
def classes(tmp_path):
    for name in (
        'train/cat/b.jpg',
        'train/cat/a.png',
        'train/dog/c.JPEG',
        'val/cat/d.jpg',
    ):
        files.write_image(tmp_path / name, 200)
    files.write_image(tmp_path / 'val' / 'dog' / 'e.png', 10)
    (tmp_path / 'train' / 'cat' / 'notes.txt').write_text('no image')
    return tmp_path


def test_the_folders_are_the_classes(classes):
    dataset = registry.load('folder', str(classes))

    assert dataset.classes == 2
    images, labels = files.read(dataset.train)
    assert labels == [0, 0, 1]
    assert images[0].shape == (8, 10, 3)
    assert abs(int(images[1].mean()) - 200) <= 1
    assert files.read(dataset.test)[1] == [0, 1]


def remove(path):
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda d: (d / 'train/dog/c.JPEG').unlink(), r"No images .* in 'dog' of"),
        (lambda d: remove(d / 'val/dog'), "have different classes: 'dog' are only in"),
        (
            lambda d: [remove(d / 'train/dog'), remove(d / 'train/cat')],
            "train' is empty; expected a folder per class",
        ),
        (lambda d: (d / 'val').rename(d / 'tests'), r"There is no folder '.*test'"),
    ],
)
def test_bad_folders_are_named(damage, message, classes):
    damage(classes)

    with pytest.raises(DataError, match=message):
        registry.load('folder', str(classes))


@pytest.mark.parametrize('damage', [b'', b'<html>no image</html>'])
def test_files_that_hold_no_image_are_named(classes, damage):
    (classes / 'train/cat/b.jpg').write_bytes(damage)

    with pytest.raises(DataError, match=r"1 of 5 files are neither .*cat/b.jpg'"):
        registry.load('folder', str(classes))


@pytest.mark.parametrize('name', ['train/cat/a.png', 'train/cat/b.jpg'])
def test_an_image_that_breaks_off_is_named(classes, name):
    path = classes / name
    path.write_bytes(path.read_bytes()[:-8])
    dataset = registry.load('folder', str(classes))

    with pytest.raises(tf.errors.InvalidArgumentError, match=f'{name}.*is damaged'):
        files.read(dataset.train)


@pytest.fixture
def birds(tmp_path):
    for name in ('002.Crow/x.jpg', '001.Albatross/y.jpg', '001.Albatross/z.jpg'):
        files.write_image(tmp_path / 'images' / name, 100)
    (tmp_path / 'images.txt').write_text(
        '1 001.Albatross/z.jpg\n2 002.Crow/x.jpg\n3 001.Albatross/y.jpg\n'
    )
    (tmp_path / 'train_test_split.txt').write_text('1 1\n2 1\n3 0\n')
    return tmp_path


def test_cub_200_is_split_by_its_list(birds):
    dataset = registry.load('cub200', str(birds))

    assert files.read(dataset.train)[1] == [0, 1]
    assert files.read(dataset.test)[1] == [0]


@pytest.mark.parametrize(
    ('split', 'message'),
    [
        ('1 1\n2 1\n', 'Image 3 of'),
        ('1 1\n2 7\n3 0\n', 'neither 1 nor 0'),
        ('1 1\n2\n', r"has a line \['2'\]"),
        ('1 1\n2 1\n3 1\n', '3 images for training and 0 for tests'),
    ],
)
def test_a_bad_list_is_named(split, message, birds):
    (birds / 'train_test_split.txt').write_text(split)

    with pytest.raises(DataError, match=message):
        registry.load('cub200', str(birds))
