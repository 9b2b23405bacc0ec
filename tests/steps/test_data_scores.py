from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tf1pruning.choosing.choice import Choice
from tf1pruning.errors import CheckpointError, DataError, GraphError, OptionError
from tf1pruning.models import reading
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
    assert model(path, loss='writing', allow_unsafe=True).loss_model.loss == 'writing'
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
