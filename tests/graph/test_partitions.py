"""Partitioned variables become whole ones, with the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.choosing.choice import Choice
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.models.reading import load
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores, planning, soft_pruning, stripping
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.steps.selection import select_groups
from tf1pruning.surgery import verify

IMAGE = np.random.RandomState(0).standard_normal([2, 8, 8, 3]).astype(np.float32)
PARTITIONERS = {
    'two by output': tf.fixed_size_partitioner(2, axis=-1),
    'three by input': tf.fixed_size_partitioner(3, axis=2),
    'by size': tf.min_max_variable_partitioner(4, axis=-1, min_slice_size=32),
}


def graph_of(partitioner, *, resource=False, train=False):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        options = {'use_resource': resource, 'partitioner': partitioner}
        with tf.variable_scope('', **options):
            x = networks.conv(x, 8, 3, name='a', use_bias=False)
            x = tf.nn.relu(networks.conv(x, 6, name='b', use_bias=False))
            x = networks.conv(x, 4, name='c', use_bias=False)
        tf.reduce_mean(x, [1, 2], name='output')
        if train:
            loss = tf.reduce_mean(tf.square(x))
            tf.train.AdamOptimizer().minimize(loss)
    return graph


def saved(folder, partitioner, **options):
    graph = graph_of(partitioner, **options)
    with graph.as_default(), tf.Session(graph=graph) as session:
        tf.set_random_seed(1)
        session.run(tf.global_variables_initializer())
        if options.get('train'):
            session.run('Adam', {'input:0': IMAGE})
        expected = session.run('output:0', {'input:0': IMAGE})
        return tf.train.Saver().save(session, str(folder / 'model.ckpt')), expected


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('partitioner', PARTITIONERS.values(), ids=PARTITIONERS.keys())
def test_the_whole_variables_give_the_answers_of_the_parts(
    partitioner, resource, tmp_path
):
    prefix, expected = saved(tmp_path, partitioner, resource=resource)

    source = load(prefix, ('output',))

    assert [v.key for v in source.graph.variables] == [
        'a/kernel',
        'b/kernel',
        'c/kernel',
    ]
    assert all(v.trainable for v in source.graph.variables)
    frozen = freeze(source.graph, source.arrays())
    found = verify.run(frozen, ['output'], {'input': IMAGE})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('resource', [False, True])
def test_what_reads_a_part_alone_reads_a_slice_of_the_whole(resource, tmp_path):
    graph = graph_of(PARTITIONERS['two by output'], resource=resource)
    with graph.as_default(), tf.Session(graph=graph) as session:
        decay = tf.add_n([tf.nn.l2_loss(v) for v in tf.trainable_variables()])
        logits = graph.get_tensor_by_name('output:0')
        tf.add(tf.reduce_mean(tf.square(logits)), decay, name='loss')
        session.run(tf.global_variables_initializer())
        expected = session.run('loss:0', {'input:0': IMAGE})
        prefix = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))

    source = load(prefix, ('loss',))

    keys = [v.key for v in source.graph.variables]
    assert keys == ['a/kernel', 'b/kernel', 'c/kernel']
    frozen = freeze(source.graph, source.arrays())
    (found,) = verify.run(frozen, ['loss'], {'input': IMAGE})
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # What the loss reads of a kernel is found for scores.
    model = load(prefix, ('output',))
    groups = [g for g in model.groups if not g.frozen]
    scores = data_scores.score_groups(
        data_scores.with_loss(model, 'loss'),
        groups,
        Batches.of_arrays({'input': IMAGE}, 2),
        ['fisher'],
    )
    assert set(scores.scores['fisher']) == {group.name for group in groups}


@pytest.mark.parametrize('partitioner', PARTITIONERS.values(), ids=PARTITIONERS.keys())
def test_a_partitioned_network_goes_the_whole_way(partitioner, tmp_path):
    prefix, unpruned = saved(tmp_path, partitioner, train=True)
    source = load(prefix, ('output',))
    chosen = select_groups(source, [''], 'all')
    plan = planning.plan_by_choice(
        source, chosen.groups.values(), Choice(ratio=0.5), ranking_by('l1')
    )
    soft = str(tmp_path / 'soft' / 'model.ckpt')
    soft_pruning.write_zeros(soft, source, plan)

    # The training graph takes the soft-pruned checkpoint back.
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(soft + '.meta').restore(session, soft)
        expected = session.run('output:0', {'input:0': IMAGE})
        slot = Checkpoint(soft)['a/kernel/Adam']
    result = stripping.strip_model(load(soft, ('output',)), plan)

    found = verify.run(result.frozen, ['output'], {'input': IMAGE})[0]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(unpruned - expected).max() > 1e-3 * np.abs(expected).max()
    assert result.stripped.arrays['a/kernel'].shape == (3, 3, 3, 4)
    assert result.stripped.arrays['b/kernel'].shape == (1, 1, 4, 3)
    gone = list(plan.groups[0].removed)
    assert len(gone) == 4
    assert not slot[..., gone].any()
    assert slot.any()
