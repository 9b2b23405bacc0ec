from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.demo.datasets import files
from tests.sampling import inputs
from tf1pruning.errors import DataError, OptionError
from tf1pruning.sampling import images

PIXELS = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3) * 20


def source(folder, shape=(None, 2, 2, 3), dtype=tf.float32, **options):
    wanted = inputs.wanted({'x': (dtype, shape)}, **options)
    return images.of_images(wanted, str(folder), images.image_files(str(folder)))


def fed(folder, *args, **options):
    """The first image as it is fed."""
    batch = next(iter(source(folder, *args, **options).read(np.array([0]), 4)))
    return batch['x'][0]


@pytest.fixture
def one(tmp_path):
    (tmp_path / 'a.png').write_bytes(files.encoded(PIXELS))
    return tmp_path


def test_black_and_white_become_the_range(one):
    expected = PIXELS / 255.0 * 2 - 1

    np.testing.assert_allclose(fed(one, image_range=(-1, 1)), expected, atol=1e-6)


def test_mean_and_deviation_have_the_order_of_the_network(one):
    found = fed(one, image_range=(0, 255), bgr=True, mean=(1, 2, 3), std=(10, 20, 30))

    expected = (PIXELS[..., ::-1] - np.array([1.0, 2, 3])) / [10, 20, 30]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_channels_come_first_where_the_input_has_them_there(one):
    found = fed(one, (None, 3, 2, 2), image_range=(0, 255))

    np.testing.assert_allclose(found, PIXELS.transpose(2, 0, 1), atol=1e-4)


def test_an_input_of_whole_numbers_gets_pixels(one):
    found = fed(one, dtype=tf.uint8)

    np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.parametrize(
    ('shape', 'size', 'expected'),
    [
        ((None, 12), (2, 2), (12,)),
        ((None, 2, 2), None, (2, 2)),
        ((None, None, None, 1), (4, 6), (4, 6, 1)),
        ((1, 5, 3, 3), None, (5, 3, 3)),
        (None, (3, 3), (3, 3, 3)),
    ],
)
def test_images_get_the_shape_of_the_input(one, shape, size, expected):
    assert fed(one, shape, image_range=(0, 1), image_size=size).shape == expected


def test_the_middle_of_an_image_is_resized(tmp_path):
    pixels = np.zeros([4, 12, 3], np.uint8)
    pixels[:, 4:8] = 200
    (tmp_path / 'wide.png').write_bytes(files.encoded(pixels))

    found = fed(tmp_path, image_range=(0, 255))

    np.testing.assert_allclose(found, np.full([2, 2, 3], 200), atol=1e-3)


@pytest.fixture
def classes(tmp_path):
    for number in range(12):
        folder = 'ab'[number % 2]
        files.write_image(tmp_path / folder / f'{number:02d}.png', number)
    return tmp_path


def test_images_of_sub_folders_are_drawn_in_an_order_that_stays(classes):
    found = source(classes, image_range=(0, 255), labels='folders')

    batches = [list(found.read(np.arange(12), 5)) for _ in range(2)]
    values = [[int(x) for b in each for x in b['x'].mean(axis=(1, 2, 3)).round()]
              for each in batches]  # fmt: skip
    assert values[0] == values[1] != sorted(values[0])
    assert sorted(values[0]) == list(range(12))
    assert found.labels.tolist() == [value % 2 for value in values[0]]
    assert source(classes, image_range=(0, 1)).labels is None


@pytest.mark.parametrize(
    ('shape', 'dtype', 'options', 'error', 'message'),
    [
        ((None, 2, 2, 3), tf.float32, {}, OptionError, r'-1,1 or 0,1 or 0,255'),
        (
            (None, None, None, 3),
            tf.float32,
            {'image_range': (0, 1)},
            OptionError,
            'leaves the size of images open',
        ),
        (
            (None, 2, 2, 3),
            tf.float32,
            {'image_range': (0, 1), 'image_size': (4, 4)},
            OptionError,
            'takes images of 2 x 2, and ',
        ),
        ((None, 2, 2, 3), tf.uint8, {'mean': (1.0,)}, OptionError, 'whole pixels'),
        ((None, 7), tf.float32, {'image_range': (0, 1)}, OptionError, '1 or 3 chann'),
        ((None, 2, 2, 5), tf.float32, {}, OptionError, '1 or 3 channels'),
        ((None, 2, 2, 3), tf.string, {}, DataError, 'no images'),
        (
            (None, 2, 2, 3),
            tf.float32,
            {'image_range': (0, 1), 'mean': (1.0, 2.0)},
            OptionError,
            'mean has 2 numbers, .* 3 channels',
        ),
        (
            (None, 2, 2, 1),
            tf.float32,
            {'image_range': (0, 1), 'bgr': True},
            OptionError,
            'no order blue',
        ),
        (
            (None, 2, 2, 3),
            tf.float32,
            {'image_range': (0, 1), 'labels': 'y'},
            OptionError,
            "labels of images are 'y'; expected 'folders'",
        ),
        (
            (None, 2, 2, 3),
            tf.float32,
            {'image_range': (0, 1), 'inputs': {'a': 'x'}},
            OptionError,
            "read without 'inputs'",
        ),
        (
            (None, 2, 2, 3),
            tf.float32,
            {'image_range': (0, 1), 'std': (0.0,)},
            OptionError,
            'deviations above 0',
        ),
    ],
)
def test_what_must_be_said_is_asked(one, shape, dtype, options, error, message):
    with pytest.raises(error, match=message):
        source(one, shape, dtype, **options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'image_range': (1, -1)}, 'smaller one first'),
        ({'image_size': (0, 4)}, r'image_size is \(0, 4\); expected at least 1'),
        ({'count': 0}, 'count is 0; expected at least 1'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        inputs.wanted({'x': (tf.float32, [None, 2, 2, 3])}, **options)


def test_images_are_for_one_input(one):
    two = inputs.wanted({'a': (tf.float32, [None, 2]), 'b': (tf.float32, [None, 2])})

    with pytest.raises(DataError, match=r"for one input, .* needs 'a', 'b'.*\.npz"):
        images.of_images(two, str(one), images.image_files(str(one)))


def test_a_damaged_image_is_named(one):
    path = one / 'a.png'
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(DataError, match=r"^'.*a\.png' cannot be decoded: .*is damaged"):
        fed(one, image_range=(0, 1))
    found = source(one, image_range=(0, 1))
    path.rename(one / 'b.png')
    with pytest.raises(DataError, match=r"a\.png' cannot be read: No such file"):
        list(found.read(np.array([0]), 1))
    path.write_bytes(b'nothing')
    (one / 'b.png').unlink()
    with pytest.raises(DataError, match=r'1 of 1 files are neither JPEG nor PNG'):
        source(one, image_range=(0, 1))


def test_an_image_that_cannot_be_decoded_is_named(classes):
    path = classes / 'a' / '04.png'
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(len(data) - 60) + data[-20:])
    found = source(classes, image_range=(0, 255))

    with pytest.raises(DataError, match=r"^'.*/a/04\.png' cannot be decoded: Inv"):
        list(found.read(np.arange(12), 5))
