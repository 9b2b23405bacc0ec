from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests import networks
from tests.demo.datasets import files
from tests.studies import trained
from tf1pruning.scoring import running


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """Takes images `[n, 8, 8, 3]`."""
    folder = tmp_path_factory.mktemp('model')
    graph = networks.inverted_residual_net()
    return tp.load(networks.save(graph, str(folder / 'model.ckpt')), ['output'])


IMAGES = np.random.RandomState(0).rand(20, 8, 8, 3).astype(np.float32)


def test_samples_of_any_kind_are_fed(model, tmp_path):
    np.savez(tmp_path / 'data.npz', images=IMAGES)
    for number in range(3):
        files.write_image(tmp_path / 'images' / f'{number}.png', number)
        image = np.full((8, 8, 3), number, np.uint8)
        files.write_records(tmp_path / f'{number}.tfrecord', [files.example(image, 0)])
    options = tp.SampleOptions(image_range=(0, 1))
    found = [
        tp.samples(model, tmp_path / 'data.npz', count=3),
        tp.samples(model, {'input': IMAGES[:3]}),
        tp.samples(model, tmp_path / 'images', image_range=(-1, 1)),
        tp.samples(model, tmp_path / '*.tfrecord', options),
    ]

    for samples in found:
        [batch] = samples.batches.start()
        feeds, size = running.feeds(model.graph, batch)
        assert (samples.count, size) == (3, 3)
        assert feeds['input:0'].shape == (3, 8, 8, 3)


def test_the_pipeline_of_the_training_graph_gives_samples_that_stay(tmp_path):
    prefix = trained.train(str(tmp_path / 'run'))
    model = tp.load(prefix, ['output'])

    samples = tp.samples(model, 'graph', count=10, batch_size=5)

    passes = [
        np.concatenate([batch['input'] for batch in samples.batches.start()])
        for _ in range(2)
    ]
    assert passes[0].shape == (10, 8, 8, 3)
    np.testing.assert_array_equal(*passes)
    assert [part.count for part in samples.split(0.4)] == [6, 2, 2]


def test_batches_of_ones_own_are_kept(model):
    def input_fn():
        return tf.data.Dataset.from_tensor_slices(IMAGES).batch(8).repeat()

    samples = tp.samples(model, tp.Batches.of_input_fn(input_fn, ['input']), count=12)

    np.testing.assert_array_equal(samples.first(20)['input'], IMAGES[:12])
    with pytest.raises(tp.DataError, match='data has no batch'):
        tp.samples(model, tp.Batches(lambda: []))
    ragged = [{'input': IMAGES}, {'input': IMAGES[:, 1:]}]
    with pytest.raises(tp.DataError, match='different shapes'):
        tp.samples(model, tp.Batches(lambda: ragged))


@pytest.mark.parametrize(
    'given',
    [
        (IMAGES, np.zeros(20)),
        {'input': IMAGES, 'id': np.arange(20)},
        ({'image': IMAGES}, {'a': np.zeros(20), 'b': np.zeros(20)}),
        IMAGES,
    ],
    ids=['with labels', 'by name', 'the only one', 'alone'],
)
def test_the_features_of_an_input_fn_are_samples(model, given):
    def input_fn():
        return tf.data.Dataset.from_tensor_slices(given).batch(8)

    samples = tp.samples(model, input_fn)

    np.testing.assert_array_equal(samples.first(20)['input'], IMAGES)
    assert samples.count == 20


def test_features_without_an_input_are_named(model):
    def input_fn():
        return (tf.constant(IMAGES), {'x': tf.constant(IMAGES)}), tf.zeros([20])

    with pytest.raises(tp.DataError, match="inputs 'input'; it has 'features_0', 'x'"):
        tp.samples(model, input_fn)
    found = tp.samples(model, input_fn, inputs={'features_0': 'input'}, count=20)
    np.testing.assert_array_equal(found.first(20)['input'], IMAGES)


def test_a_graph_without_a_pipeline_asks_for_data(model):
    with pytest.raises(tp.DataError, match=r"no input pipeline. .* inputs 'input'"):
        tp.samples(model, 'graph')


def test_batches_have_the_only_size_that_the_network_takes(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [4, 2], 'x')
        tf.layers.dense(x, 3, name='output')
    prefix = networks.save(graph, str(tmp_path / 'model.ckpt'))
    model = tp.load(prefix, ['output/BiasAdd'])
    data = {'x': np.zeros([10, 2], np.float32)}

    samples = tp.samples(model, data)

    assert (samples.batch_size, samples.count) == (4, 8)
    with pytest.raises(tp.OptionError, match=r'size is 5, .* batches of 4 only'):
        tp.samples(model, data, batch_size=5)


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (('nothing-here',), tp.DataError, "no data at 'nothing-here'"),
        (('a\0b',), tp.DataError, 'cannot be read: The name is not UTF-8'),
        (('missing.npz',), tp.DataError, 'missing.npz.* cannot be read: No such file'),
        ((3,), tp.OptionError, 'data is 3; expected a string'),
    ],
)
def test_what_is_no_data_is_refused(model, arguments, error, message):
    with pytest.raises(error, match=message):
        tp.samples(model, *arguments)


def test_options_are_given_once_and_by_their_names(model):
    with pytest.raises(tp.OptionError, match=r"no option 'image_rang'.*'image_range'"):
        tp.samples(model, 'images', image_rang=(0, 1))
    with pytest.raises(
        tp.OptionError, match="SampleOptions is given, and 'count' as well"
    ):
        tp.samples(model, 'images', tp.SampleOptions(), count=3)


def test_samples_are_checked_and_drawn(model):
    samples = tp.samples(model, {'input': IMAGES * 1000})

    [found] = tp.check_samples(model, samples)

    assert found.startswith('The data does not look like that of the training')
    assert samples.picture().png.startswith(b'\x89PNG')
    assert str(samples.picture()).startswith('input: 16 of 8x8x3, min ')
