from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.studies import trained
from tf1pruning.errors import DataError, OptionError
from tf1pruning.graph.meta_graphs import meta_graph
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.scoring.loss_model import loss_model

X = np.arange(10, dtype=np.float32).reshape(5, 2)
Y = np.array([0, 1, 0, 1, 0])


def listed(batches):
    return [{k: v.tolist() for k, v in batch.items()} for batch in batches.start()]


def test_arrays_are_cut_in_their_order_again_and_again():
    batches = Batches.of_arrays({'y': Y}, 2)

    assert batches.count == 3
    expected = [{'y': [0, 1]}, {'y': [0, 1]}, {'y': [0]}]
    assert listed(batches) == listed(batches) == expected


def test_so_many_batches_at_most():
    batches = Batches.of_arrays({'y': Y}, 2, 1)

    assert (batches.count, listed(batches)) == (1, [{'y': [0, 1]}])


@pytest.mark.parametrize('labels', [Y, np.eye(2)[Y]])
def test_a_batch_per_class_holds_as_many_examples_of_each(labels):
    batches = Batches.by_class({'x': X, 'y': labels}, 'y', 2, seed=1)

    rows = [batch['x'][:, 0] / 2 for batch in batches.start()]
    assert batches.count == 2
    assert set(rows[0]) < {0, 2, 4}
    assert set(rows[1]) == {1, 3}


def test_an_input_fn_gives_a_dataset():
    def input_fn():
        return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)

    batches = Batches.of_input_fn(input_fn, ['x', 'y'])

    assert listed(batches) == [
        {'x': X[:4].tolist(), 'y': [0, 1, 0, 1]},
        {'x': X[4:].tolist(), 'y': [0]},
    ]
    assert listed(Batches.of_input_fn(input_fn, ['x', 'y'], 1)) == [
        {'x': X[:4].tolist(), 'y': [0, 1, 0, 1]}
    ]


def test_an_input_fn_gives_tensors_as_for_an_estimator():
    def input_fn():
        dataset = tf.data.Dataset.from_tensor_slices(({'x': X}, Y)).batch(3)
        return tf.data.make_one_shot_iterator(dataset).get_next()

    batches = Batches.of_input_fn(input_fn, ['x', 'y'], 1)

    assert listed(batches) == [{'x': X[:3].tolist(), 'y': [0, 1, 0]}]


def test_an_input_fn_gives_batches_with_names():
    batches = Batches.of_input_fn(lambda: iter([{'y': Y}, {'y': Y}]), count=1)

    assert listed(batches) == [{'y': [0, 1, 0, 1, 0]}]


def of_pipeline(graph, loss, count):
    return batches_lib.of_pipeline(graph, loss.model, loss.pipeline, count, loss.limits)


def test_the_pipeline_of_the_training_graph_gives_batches(tmp_path):
    prefix = trained.train(str(tmp_path / 'run'))
    graph = meta_graph.read_meta_graph(prefix + '.meta')
    model = loss_model(graph, outputs=['output'])

    found = list(of_pipeline(graph, model, 2).start())

    shapes = [{k: v.shape for k, v in batch.items()} for batch in found]
    assert shapes == [{'input': (4, 8, 8, 3), 'input_1': (4,)}] * 2


def table_pipeline(path, dataset=None):
    """A loss behind an iterator that needs initialization, as its table does."""
    with tf.Graph().as_default() as graph:
        keys, values = tf.constant(['a', 'b']), tf.constant([3, 5])
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, values), -1
        )
        words = tf.data.Dataset.from_tensor_slices([['a'], ['b']])
        found = words.map(table.lookup).map(lambda y: (tf.ones([1, 2]), y))
        iterator = tf.data.make_initializable_iterator(found)
        if dataset == 'another':
            iterator.make_initializer(found)
        elif dataset == 'missing':
            files = tf.data.TextLineDataset(str(path / 'missing.txt')).batch(1)
            found = files.map(lambda _: (tf.ones([1, 2]), tf.zeros([1], tf.int32)))
            iterator = tf.data.make_initializable_iterator(found)
        x, y = iterator.get_next()
        logits = tf.layers.dense(tf.reshape(x, [1, 2]), 7, name='output')
        tf.losses.sparse_softmax_cross_entropy(y, logits)
        # An Estimator's meta graph does not say what initializes its tables.
        graph.clear_collection(tf.GraphKeys.TABLE_INITIALIZERS)
        return tf.train.export_meta_graph()


def test_iterators_and_tables_of_a_pipeline_are_initialized(tmp_path):
    graph = table_pipeline(tmp_path)
    model = loss_model(graph, outputs=['output/BiasAdd'])

    batches = of_pipeline(graph, model, 5)

    labels = [{k: v.tolist() for k, v in batch.items()} for batch in batches.start()]
    assert [batch['input_1'] for batch in labels] == [[3], [5]]
    assert [batch['input'] for batch in labels] == [[[1, 1]]] * 2


@pytest.mark.parametrize(
    ('dataset', 'expected'),
    [
        ('another', "iterators 'IteratorV2' can be started in several ways"),
        ('missing', r'pipeline fails: .*missing\.txt'),
    ],
)
def test_a_pipeline_that_gives_nothing_asks_for_data(tmp_path, dataset, expected):
    graph = table_pipeline(tmp_path, dataset)
    model = loss_model(graph, outputs=['output/BiasAdd'])

    with pytest.raises(DataError, match=expected) as caught:
        list(of_pipeline(graph, model, 1).start())

    assert str(caught.value).endswith(
        " Give data of your own, for the inputs 'input', 'input_1'."
    )


def test_a_data_file_is_read_and_its_arrays_renamed(tmp_path):
    path = str(tmp_path / 'data.npz')
    np.savez(path, images=X, y=Y)

    arrays = batches_lib.read_arrays(path, {'images': 'x'})

    assert {name: array.tolist() for name, array in arrays.items()} == {
        'x': X.tolist(),
        'y': Y.tolist(),
    }


def damaged(path):
    np.savez(path, y=Y)
    path.write_bytes(path.read_bytes()[:40])


def pickled(path):
    np.savez(path, y=np.array([{}], dtype=object))


def text(path):
    path.write_text('nothing')


@pytest.mark.parametrize('write', [damaged, pickled, text, lambda path: None])
def test_a_file_that_is_no_data_is_named(write, tmp_path):
    path = tmp_path / 'data.npz'
    write(path)

    with pytest.raises(DataError, match=r"data\.npz' cannot be read"):
        batches_lib.read_arrays(str(path), {})


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        (lambda: Batches.of_arrays({}, 2), DataError, 'one number'),
        (lambda: Batches.of_arrays({'x': X[:0]}, 2), DataError, 'above 0'),
        (lambda: Batches.of_arrays({'x': X, 'y': Y[:2]}, 2), DataError, "'y': 2"),
        (lambda: Batches.of_arrays({'x': X}, 0), OptionError, 'batch size is 0'),
        (lambda: Batches.of_arrays({'x': X}, 1, 0), OptionError, 'batches is 0'),
        (
            lambda: Batches.by_class({'y': Y}, 'y', 3),
            DataError,
            r'some classes have fewer: 1 \(2\)',
        ),
        (
            lambda: Batches.by_class({'labels': Y}, 'label', 1),
            DataError,
            "Nearest names: 'labels'",
        ),
    ],
)
def test_data_that_makes_no_batches_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_each_tensor_of_a_dataset_needs_an_input():
    dataset = Batches.of_input_fn(lambda: tf.data.Dataset.from_tensors((X, Y)), ['x'])

    with pytest.raises(DataError, match='gives 2 tensors and 1 inputs are named'):
        listed(dataset)
