from __future__ import annotations

import os

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tf1pruning.errors import GraphError
from tf1pruning.models import reading
from tf1pruning.models.reading import LoadOptions


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('output', ('output',)),
        ('output1,output2,output3', ('output1', 'output2', 'output3')),
        (' net/boxes , scores:0 ', ('net/boxes', 'scores')),
    ],
)
def test_outputs_are_separated_by_commas(text, expected):
    assert reading.split_outputs(text) == expected


@pytest.mark.parametrize('text', ['', ' ', 'a,', ',a', 'a,,b'])
def test_a_blank_output_is_refused(text):
    with pytest.raises(GraphError, match='have a blank; expected names'):
        reading.split_outputs(text)


def names_of(source):
    return [group.name for group in source.groups if not group.frozen]


def test_a_checkpoint_is_loaded_with_the_graph_beside_it(tmp_path):
    prefix = trained.train(str(tmp_path / 'trained'))

    source = reading.load(prefix, ('output',))

    assert source.graph.inputs == ('input',)
    assert names_of(source) == ['net/Conv/conv', trained.BLOCK, trained.GATE]
    assert set(source.weight_keys) == set(source.arrays())


def test_a_graph_from_elsewhere_replaces_it(tmp_path):
    prefix = trained.train(str(tmp_path / 'trained'))
    meta = str(tmp_path / 'inference.meta')
    tf.train.export_meta_graph(meta, graph=networks.inverted_residual_net())
    os.remove(prefix + '.meta')

    source = reading.load(prefix, ('output',), LoadOptions(meta_path=meta))

    assert names_of(source) == ['net/Conv/conv', trained.BLOCK, trained.GATE]


def without_output(folder, *, losses=True):
    """A checkpoint whose graph ends in `logits` and a loss, not in `output`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'images')
        x = networks.conv(networks.conv(x, 8, name='a'), 2, name='b')
        logits = tf.reduce_mean(x, [1, 2], name='logits')
        labels = tf.placeholder(tf.int32, [None], 'labels')
        collection = tf.GraphKeys.LOSSES if losses else None
        tf.losses.sparse_softmax_cross_entropy(
            labels, logits, loss_collection=collection
        )
    return networks.save(graph, str(folder / 'model.ckpt-1'))


def test_planning_starts_at_the_losses_where_nobody_named_an_output(tmp_path):
    source = reading.load(
        without_output(tmp_path), ('output',), LoadOptions(traced_only=True)
    )

    assert names_of(source) == ['a']
    assert set(source.weight_keys) == {'a/kernel', 'a/bias', 'b/kernel', 'b/bias'}


def with_weight_decay(folder):
    """A total loss in the collection, as an Estimator puts it there."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'images')
        x = networks.conv(networks.conv(x, 8, name='a'), 2, name='b')
        loss = tf.losses.mean_squared_error(x, tf.zeros_like(x))
        decay = tf.add_n([tf.nn.l2_loss(v) for v in tf.trainable_variables()])
        tf.losses.add_loss(tf.add(0.5 * loss, 1e-4 * decay, name='total'))
    return networks.save(graph, str(folder / 'model.ckpt-1'))


def test_weight_decay_in_a_loss_does_not_freeze_the_weights(tmp_path):
    source = reading.load(
        with_weight_decay(tmp_path), ('output',), LoadOptions(traced_only=True)
    )

    assert names_of(source) == ['a']


@pytest.mark.parametrize(
    ('losses', 'output', 'nearest'),
    [(True, 'logist', "'logits'"), (False, 'output', '')],
    ids=['named', 'no losses'],
)
def test_otherwise_a_missing_output_is_an_error(tmp_path, losses, output, nearest):
    prefix = without_output(tmp_path, losses=losses)

    with pytest.raises(
        GraphError, match=f"Output node '{output}' is not in.*{nearest}"
    ):
        reading.load(prefix, (output,), LoadOptions(traced_only=True))


def test_random_ops_stay_and_are_named(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        x = x + tf.random.normal([6, 6, 3], name='noise')
        tf.identity(networks.conv(x, 4, name='a'), name='output')
    prefix = networks.save(graph, str(tmp_path / 'model.ckpt-1'))

    source = reading.load(prefix, ('output',))

    assert source.weight_keys == ['a/kernel', 'a/bias']
    assert [note.text for note in source.notes] == [
        "Random: 1 ops draw numbers ('noise/RandomStandardNormal') and stay. Networks "
        'are compared on the same draws.'
    ]
