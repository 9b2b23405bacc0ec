from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.sampling import inputs
from tf1pruning import npz
from tf1pruning.errors import DataError, OptionError
from tf1pruning.sampling import arrays
from tf1pruning.sampling.parts import Samples

X = np.arange(30, dtype=np.float32).reshape(10, 3)
IDS = np.arange(10, dtype=np.int64)


def vectors(**options):
    return inputs.wanted({'x': (tf.float32, [None, 3])}, **options)


def of_file(wanted, folder, **data):
    path = str(folder / 'data.npz')
    np.savez(path, **data)
    return arrays.of_file(wanted, path)


def read(source, rows, size=4):
    return [
        {name: array.tolist() for name, array in batch.items()}
        for batch in source.read(np.array(rows), size)
    ]


def test_rows_of_a_file_are_read_again_and_again(tmp_path):
    source = of_file(vectors(), tmp_path, x=X)

    expected = [{'x': X[[1, 2]].tolist()}, {'x': X[[7]].tolist()}]
    assert source.count == 10
    assert read(source, [1, 2, 7], 2) == read(source, [1, 2, 7], 2) == expected
    assert source.notes == ()


def test_no_more_of_a_file_than_a_batch_is_read(tmp_path, monkeypatch):
    def whole(path, name):
        raise AssertionError('read as a whole')

    monkeypatch.setattr(npz, 'read_array', whole)
    source = of_file(vectors(), tmp_path, x=X)

    assert next(iter(source.read(np.array([3, 9]), 1)))['x'].tolist() == [[9, 10, 11]]


def test_the_only_array_is_for_the_only_input(tmp_path):
    source = of_file(vectors(), tmp_path, images=X)

    assert read(source, [0]) == [{'x': [[0, 1, 2]]}]


def test_arrays_are_for_the_inputs_that_the_user_names(tmp_path):
    wanted = inputs.wanted(
        {'x': (tf.float32, [None, 3]), 'ids': (tf.int32, [None])},
        inputs={'a': 'x', 'b': 'ids:0'},
        labels='y',
    )

    source = of_file(wanted, tmp_path, a=X, b=IDS, y=IDS % 2, z=IDS)

    assert read(source, [4]) == [{'x': [[12, 13, 14]], 'ids': [4]}]
    assert source.labels.tolist() == [0, 1] * 5
    assert [str(n) for n in source.notes] == [
        "Of the data, 'z' is for no input: not used."
    ]


def test_what_is_one_for_all_examples_is_in_every_batch():
    wanted = inputs.wanted(
        {'x': (tf.float32, [None, 3]), 'on': (tf.bool, []), 's': (tf.string, [None])}
    )
    words = np.array(['a', 'b'])

    source = arrays.of_arrays(wanted, {'x': X[:2], 'on': np.array(False), 's': words})

    assert read(source, [0, 1], 1)[1] == {'x': [[3, 4, 5]], 'on': False, 's': ['b']}


def test_whole_numbers_for_floats_are_cast_and_said():
    source = arrays.of_arrays(vectors(), {'x': X.astype(np.uint8)})

    batch = next(iter(source.read(np.array([0]), 1)))
    assert batch['x'].dtype == np.float32
    assert [str(n)[:51] for n in source.notes] == [
        "The data for the input 'x' is of type uint8 and is "
    ]


def test_one_hot_labels_are_classes():
    source = arrays.of_arrays(vectors(labels='y'), {'x': X[:2], 'y': np.eye(4)[[2, 0]]})

    assert source.labels.tolist() == [2, 0]


BAD = X.copy()
BAD[7, 1] = np.nan


@pytest.mark.parametrize(
    ('data', 'options', 'message'),
    [
        ({'x': X[:, :2]}, {}, r"'x': .* shape \(10, 2\); expected \(examples, 3\)\.$"),
        ({'x': X[0]}, {}, r'shape \(3,\); .* A single example has an axis'),
        ({'x': np.array(['a'] * 3)[None]}, {}, "'x': .* type <U1; expected float32"),
        ({'x': X[:0]}, {}, "data is empty: 'x' have no example"),
        ({'a': X, 'b': X}, {}, r"no array for the inputs 'x'; .* is it a=x\?"),
        ({'a': X}, {'inputs': {'b': 'x'}}, "lacks 'b'; it has 'a'"),
        ({'a': X}, {'inputs': {'a': 'y'}}, "'y' is no input .* inputs are 'x'"),
        ({'a': X, 'x': X}, {'inputs': {'a': 'x'}}, "several arrays for 'x'"),
        ({'x': X}, {'labels': 'y'}, "lacks 'y'; it has 'x'"),
        ({'x': X}, {'labels': 'x'}, "inputs 'x'; it has nothing"),
        ({'x': X, 'y': IDS}, {'labels': 'y', 'inputs': {'y': 'x'}}, 'both'),
        ({'x': X, 'y': IDS[:3]}, {'labels': 'y'}, r"'y' have the shape \(3,\)"),
    ],
)
def test_data_that_does_not_fit_is_named(data, options, message, tmp_path):
    with pytest.raises(DataError, match=message):
        of_file(vectors(**options), tmp_path, **data)


def test_arrays_of_different_lengths_are_refused():
    wanted = inputs.wanted({'x': (tf.float32, [None, 3]), 'n': (tf.int32, [None])})

    with pytest.raises(DataError, match=r"\{'x': 10, 'n': 3\} examples"):
        arrays.of_arrays(wanted, {'x': X, 'n': IDS[:3]})


def test_axes_in_another_order_are_said():
    wanted = inputs.wanted({'x': (tf.float32, [None, 4, 4, 3])})

    with pytest.raises(DataError, match='axes stand in another order'):
        arrays.of_arrays(wanted, {'x': np.zeros([2, 3, 4, 4])})


def test_values_that_cannot_be_fed_are_refused_as_they_are_read():
    source = arrays.of_arrays(vectors(), {'x': BAD})

    assert len(read(source, [0, 1])) == 1
    with pytest.raises(DataError, match="'x': the data has NaN or infinite values"):
        read(source, [6, 7])
    large = arrays.of_arrays(vectors(), {'x': X * 1e300})
    with pytest.raises(DataError, match='too large ones for float32'):
        read(large, [5])
    wanted = inputs.wanted({'n': (tf.uint8, [None])})
    with pytest.raises(DataError, match='numbers such as 300, which uint8'):
        read(arrays.of_arrays(wanted, {'n': np.array([300])}), [0])


def test_options_of_images_are_no_options_of_arrays():
    with pytest.raises(OptionError, match=r"'image_range', 'bgr'.*leave that out"):
        arrays.of_arrays(vectors(image_range=(0, 1), bgr=True), {'x': X})


def test_samples_of_a_file_are_samples(tmp_path):
    samples = Samples.drawn(of_file(vectors(), tmp_path, x=X), 4, count=6)

    batches = list(samples.batches.start())
    assert [len(batch['x']) for batch in batches] == [4, 2]
    assert (
        samples.first(5)['x'].tolist()
        == np.concatenate([batch['x'] for batch in batches])[:5].tolist()
    )
