from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tests.tools import models
from tf1pruning.choosing.choice import Choice
from tf1pruning.errors import CheckpointError, DataError, GraphError, OptionError
from tf1pruning.models import reading
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores, planning
from tf1pruning.steps.ranking import ranking_by


def model(prefix, **options):
    return data_scores.with_loss(reading.load(prefix, ('output',)), **options)


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return trained.train(str(tmp_path_factory.mktemp('run') / 'a'))


def test_a_training_graph_is_scored_and_pruned(prefix):
    found = model(prefix)
    groups = [group for group in found.model.groups if not group.frozen]

    scores = data_scores.score_groups(
        found, groups, found.pipeline(2), ['fisher', 'biased_loss_init'], prefix
    )

    ranking = ranking_by('fisher', scores)
    plan = planning.plan_by_choice(found.model, groups, Choice(ratio=0.5), ranking)
    fisher = scores.scores['fisher'][trained.BLOCK][0]
    planned = next(g for g in plan.groups if g.name == trained.BLOCK)
    assert len(planned.removed) == 12
    # Filters behind a relu6 that never passes all score 0: there are ties.
    assert fisher[list(planned.removed)].min() >= np.sort(fisher)[-12]
    # The weights have not moved from the start, which is the checkpoint itself.
    assert not scores.scores['biased_loss_init'][trained.BLOCK].any()


IMAGES = np.random.RandomState(0).rand(6, 8, 8, 3).astype(np.float32)


def without_loss(source, batches, criteria=('apoz', 'activation_mean')):
    found = reading.load(source, ('output',))
    groups = [group for group in found.groups if not group.frozen]
    subject = data_scores.subject_for(found, criteria)
    return data_scores.score_groups(subject, groups, batches, criteria)


def test_where_no_loss_is_needed_any_kind_of_model_is_scored_alike(prefix, tmp_path):
    data = Batches.of_arrays({'input': IMAGES}, 4)
    labelled = {'IteratorGetNext:0': IMAGES, 'IteratorGetNext:1': np.arange(6) % 5}
    found = model(prefix)
    groups = [group for group in found.model.groups if not group.frozen]
    expected = data_scores.score_groups(
        found, groups, Batches.of_arrays(labelled, 4), ['apoz', 'activation_mean']
    )
    folder = str(tmp_path)
    scored = [
        without_loss(prefix, data),
        without_loss(prefix, Batches.of_arrays(labelled, 4)),
        without_loss(models.saved_model(folder, prefix), data),
        without_loss(models.frozen(folder, prefix), data),
    ]

    assert expected.loss > 0
    assert [scores.loss for scores in scored] == [None] * 4
    for scores in scored:
        assert scores.means.keys() == expected.means.keys()
        for criterion, by_group in expected.scores.items():
            for own, same in zip(scores.scores[criterion].values(), by_group.values()):
                np.testing.assert_allclose(own, same, rtol=1e-4)


def test_scores_of_a_frozen_graph_choose_its_channels(prefix, tmp_path):
    path = models.frozen(str(tmp_path), prefix)
    scores = without_loss(path, Batches.of_arrays({'input': IMAGES}, 4), ['apoz'])
    found = reading.load(path, ('output',))
    groups = [group for group in found.groups if not group.frozen]

    plan = planning.plan_by_choice(
        found, groups, Choice(ratio=0.5), ranking_by('apoz', scores)
    )

    assert sum(len(group.removed) for group in plan.groups) > 0


def test_channels_that_others_make_up_for_go_first(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        # Sums of three inputs: any three of the eight channels make up for the rest.
        y = networks.conv(networks.conv(x, 8, 1, 'stem'), 5, 3, 'reader')
        tf.reduce_mean(tf.nn.relu(y), [1, 2], name='output')
    path = networks.save(graph, str(tmp_path / 'model.ckpt'))
    data = Batches.of_arrays({'input': IMAGES}, 4)

    scores = without_loss(path, data, ['reconstruction', 'apoz']).scores

    lost = np.sort(-scores['reconstruction']['stem'][0])
    assert (lost[:5] < 0.01).all() and (lost[5:] > 0.05).all()
    assert scores['apoz']['stem'].shape == (1, 8)


def test_layers_in_loops_are_left_out(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 6], 'input')
        y = tf.layers.dense(x, 8, tf.nn.relu, name='stem')
        cell = tf.nn.rnn_cell.BasicRNNCell(5)
        y = tf.nn.dynamic_rnn(cell, y, dtype=tf.float32)[0]
        tf.layers.dense(y[:, -1], 3, name='output')
    path = networks.save(graph, str(tmp_path / 'model.ckpt'))
    found = reading.load(path, ('output/BiasAdd',))
    subject = data_scores.subject_for(found, ['reconstruction'])
    stem = [group for group in found.groups if group.name == 'stem']
    data = Batches.of_arrays({'input': np.ones([8, 4, 6], np.float32)}, 4)

    scores = data_scores.score_groups(subject, stem, data, ['reconstruction'])

    assert scores.scores['reconstruction']['stem'].shape == (1, 8)


def test_the_own_pipeline_gives_data_without_a_loss(prefix):
    found = data_scores.subject_for(reading.load(prefix, ('output',)), ['apoz'])

    means = data_scores.only_means(found, found.pipeline(2))

    expected = model(prefix)
    same = data_scores.only_means(expected, expected.pipeline(2))
    for layer, mean in means.items():
        np.testing.assert_allclose(mean, same[layer], rtol=1e-5)


def test_a_criterion_that_needs_a_loss_says_so_where_there_is_none(prefix, tmp_path):
    frozen = reading.load(models.frozen(str(tmp_path), prefix), ('output',))
    inference = networks.save(
        networks.inverted_residual_net(), str(tmp_path / 'inference.ckpt')
    )
    needs = "'fisher' needs a loss, unlike 'activation_mean', 'apoz', 'reconstruction'"

    with pytest.raises(OptionError, match=f'{needs}.* is no checkpoint of a training'):
        data_scores.subject_for(frozen, ['apoz', 'fisher'])
    with pytest.raises(GraphError, match=f'{needs}.* no collection of losses') as found:
        data_scores.subject_for(reading.load(inference, ('output',)), ['fisher'])
    assert found.value.options == ('loss',)


def test_data_that_lacks_an_input_is_not_left_aside(prefix):
    wrong = Batches.of_arrays({'image': IMAGES}, 4)

    with pytest.raises(DataError, match=r'The network needs .*is it image=input\?'):
        without_loss(prefix, wrong)


def test_a_loss_that_writes_files_is_not_run(tmp_path):
    graph = networks.inverted_residual_net(is_training=True, optimizer='adam')
    with graph.as_default():
        output = graph.get_tensor_by_name('output:0')
        target = tf.constant(str(tmp_path / 'written'))
        with tf.control_dependencies([tf.io.write_file(target, 'x')]):
            tf.reduce_mean(output, name='writing')
    path = networks.save(graph, str(tmp_path / 'model.ckpt'))

    with pytest.raises(GraphError, match=r'write files or call Python.*WriteFile'):
        model(path, loss='writing')
    assert model(path, loss='writing', allow_unsafe=True).runnable.loss == 'writing'
    assert not (tmp_path / 'written').exists()


def test_a_graph_without_a_pipeline_asks_for_data(tmp_path):
    prefix = trained.train(str(tmp_path / 'fed'), pipeline=False)

    with pytest.raises(DataError, match=r"no input pipeline\. Give data .*'input'"):
        model(prefix).pipeline(1)


def test_no_criterion_at_all_is_refused(prefix):
    found = model(prefix)

    with pytest.raises(OptionError, match='No criterion is given'):
        data_scores.score_groups(found, found.model.groups, found.pipeline(1), [])


def test_nan_weights_are_refused(prefix, tmp_path):
    def spoil(arrays):
        arrays[f'{trained.BLOCK}/expand/conv/kernel'][0, 0, 0, 0] = np.nan

    bad = trained.changed_copy(prefix, str(tmp_path / 'bad'), spoil)
    found = model(bad)

    with pytest.raises(CheckpointError, match='expand/conv/kernel'):
        data_scores.score_groups(found, found.model.groups, found.pipeline(1), ['apoz'])


def test_the_training_graph_is_not_changed(prefix):
    with open(prefix + '.meta', 'rb') as file:
        written = tf.MetaGraphDef.FromString(file.read())

    assert set(model(prefix).model.meta_graph.collection_def) == set(
        written.collection_def
    )
