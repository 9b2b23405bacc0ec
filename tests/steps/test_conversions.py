"""What inference changes is counted, compared with what was given, and may stay."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests import networks
from tf1pruning.errors import OptionError
from tf1pruning.steps import stripping

X = {'input': np.random.RandomState(0).rand(8, 6, 6, 3).astype(np.float32)}
KEEP_BATCH = tp.LoadOptions(batch_norm='batch')


def saved(folder, build, untouched=False):
    """The checkpoint of a network that `build` makes of the input."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        tf.identity(build(x), name='output')
        if untouched:
            with tf.Session() as session:
                session.run(tf.global_variables_initializer())
                return tf.train.Saver().save(session, f'{folder}/model.ckpt')
    return networks.save(graph, f'{folder}/model.ckpt')


def normalized(x, fused=True, training=True):
    x = tf.layers.conv2d(x, 8, 3, name='first')
    x = tf.layers.batch_normalization(x, training=training, fused=fused, name='norm')
    x = tf.layers.conv2d(tf.nn.relu(x), 6, 3, name='second')
    return tf.layers.dense(tf.reduce_mean(tf.nn.relu(x), [1, 2]), 4, name='last')


def unfused(x):
    return normalized(x, fused=False)


def dropped(x):
    keep = tf.placeholder(tf.float32, [], 'keep_prob')
    x = tf.nn.relu(tf.layers.conv2d(x, 8, 3, name='first'))
    x = tf.nn.dropout(tf.reduce_mean(x, [1, 2]), keep_prob=keep, name='drop')
    return tf.layers.dense(x, 4, name='last')


def always_dropped(x):
    x = tf.nn.relu(tf.layers.conv2d(x, 8, 3, name='first'))
    x = tf.nn.dropout(tf.reduce_mean(x, [1, 2]), rate=0.5)
    return tf.layers.dense(x, 4, name='last')


def flagged(x):
    flag = tf.placeholder(tf.bool, [], 'is_training')
    return normalized(x, training=flag)


def given_answers(prefix, feeds, outputs=('output:0',)):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f'{prefix}.meta').restore(session, prefix)
        return session.run(list(outputs), {f'{k}:0': v for k, v in feeds.items()})


def frozen_answers(folder, feeds):
    with tf.Graph().as_default(), tf.Session() as session:
        graph_def = tf.GraphDef.FromString((folder / 'stripped.pb').read_bytes())
        tf.import_graph_def(graph_def, name='')
        return session.run(['output:0'], {f'{k}:0': v for k, v in feeds.items()})


def stripped_and_saved(soft, plan, folder, **options):
    small = tp.strip(soft, plan, **options)
    tp.save(small, folder, ['ckpt', 'pb'])
    return small, json.loads((folder / 'report.json').read_text())


@pytest.mark.parametrize('build', [normalized, unfused])
def test_batch_statistics_become_moving_ones_and_that_is_said(tmp_path, build):
    model = tp.load(saved(tmp_path, build))

    small, report = stripped_and_saved(model, None, tmp_path / 'small', samples=X)

    assert report['batch_statistics'] == ['norm/moving_mean', 'norm/moving_variance']
    (expected,) = given_answers(model.path, X)
    (found,) = frozen_answers(tmp_path / 'small', X)
    difference = np.abs(found - expected).max()
    assert report['as_given']['max_difference'] == pytest.approx(difference, rel=1e-3)
    assert report['as_given']['max_difference_relative'] > 1e-2
    assert 'The graph as it was given answers otherwise by' in str(small)
    assert model.notes[0].text.startswith('Batch norm: 2 statistics of the batch')
    assert model.notes[0].options == ('batch_norm',)
    assert 'nothing in the graph runs the updates' in model.notes[1].text


@pytest.mark.parametrize('build', [normalized, unfused])
def test_batch_statistics_stay_on_demand(tmp_path, build):
    model = tp.load(saved(tmp_path, build), options=KEEP_BATCH)
    plan = tp.choose(model, ratio=0.5, criterion='l1', groups='all')
    soft = tp.soft_prune(model, plan, tmp_path / 'soft' / 'model.ckpt')

    small, report = stripped_and_saved(soft, plan, tmp_path / 'small', samples=X)

    assert small.plan.removed_count == plan.removed_count > 0
    (expected,) = given_answers(soft.path, X)
    (found,) = frozen_answers(tmp_path / 'small', X)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert (report['batch_statistics'], report['not_converted']) == ([], ['batch_norm'])
    assert (small.given, model.notes) == (None, ())


@pytest.mark.parametrize(
    ('build', 'counted'), [(dropped, 'dropouts'), (flagged, 'flags')]
)
def test_what_can_be_switched_off_is_what_was_given(tmp_path, build, counted):
    _, report = stripped_and_saved(
        tp.load(saved(tmp_path, build)), None, tmp_path / 'small'
    )

    assert len(report[counted]) == 1
    assert report['as_given']['max_difference_relative'] <= 1e-6
    assert report['as_given']['problem'] == ''


def test_dropout_with_a_constant_changes_what_was_given(tmp_path):
    small = tp.strip(tp.load(saved(tmp_path, always_dropped)))

    assert small.given.comparison.relative > 1e-2


def test_dropout_stays_on_demand(tmp_path):
    options = tp.LoadOptions(keep_dropout=True)
    model = tp.load(saved(tmp_path, always_dropped), options=options)

    _, report = stripped_and_saved(model, None, tmp_path / 'small')

    assert len(report['random_ops']) == 1
    assert (report['dropouts'], report['not_converted']) == ([], ['dropout'])
    first, second = (frozen_answers(tmp_path / 'small', X)[0] for _ in range(2))
    assert (first != second).any()


def test_flags_stay_inputs_on_demand(tmp_path):
    prefix = saved(tmp_path, flagged)

    kept = tp.load(prefix, options=tp.LoadOptions(keep_flags=True, batch_norm='batch'))

    assert kept.graph.inputs == ('input', 'is_training')
    assert tp.load(prefix).graph.inputs == ('input',)
    stripped_and_saved(kept, None, tmp_path / 'small')
    feeds = {**X, 'is_training': np.array(True)}
    expected, found = (
        given_answers(prefix, feeds),
        frozen_answers(tmp_path / 'small', feeds),
    )
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)


def test_a_given_graph_that_does_not_run_is_named(tmp_path):
    model = tp.load(saved(tmp_path, flagged))
    broken = tf.MetaGraphDef()
    broken.CopyFrom(model.meta_graph)
    next(n for n in broken.graph_def.node if n.name == 'first/Conv2D').input[0] = 'gone'
    damaged = type(model)(**{**vars(model), 'meta_graph': broken})

    small = tp.strip(damaged)

    assert small.given.comparison is None
    assert "'gone'" in small.given.problem
    assert 'was not compared' in str(small)


@pytest.mark.parametrize('build', [normalized, unfused])
def test_statistics_that_nothing_updated_are_a_warning(tmp_path, build):
    notes = tp.load(saved(tmp_path, build, untouched=True)).notes

    (found,) = [note for note in notes if 'still 0 and 1' in note.text]
    assert 'norm' in found.text
    assert 'UPDATE_OPS' in found.text
    other = tp.load(saved(tmp_path, build)).notes
    assert not any('still 0 and 1' in note.text for note in other)


def sampled(x):
    """A network that draws from what it finds, as variational autoencoders do."""
    x = tf.layers.flatten(tf.nn.relu(tf.layers.conv2d(x, 8, 3, name='first')))
    mean, width = (tf.layers.dense(x, 4, name=name) for name in ('mean', 'width'))
    z = mean + tf.exp(width) * tf.random_normal(tf.shape(mean))
    return tf.layers.dense(tf.nn.relu(tf.layers.dense(z, 9, name='hidden')), 4)


def noisy(x):
    x = tf.nn.relu(tf.layers.conv2d(x, 8, 3, name='first'))
    x += 0.1 * tf.random_normal([1, 4, 4, 1])
    return tf.reduce_mean(tf.layers.conv2d(x, 4, 3, name='second'), [1, 2])


@pytest.mark.parametrize(
    ('build', 'groups'),
    [(sampled, {'first': 8, 'hidden': 9}), (noisy, {'first': 8})],
)
def test_a_random_network_is_pruned_and_compared_on_the_same_draws(
    tmp_path, build, groups
):
    model = tp.load(saved(tmp_path, build))
    plan = tp.choose(
        model, ratio=0.5, criterion='l1', groups='all', limits=tp.Limits(1)
    )
    soft = tp.soft_prune(model, plan, tmp_path / 'soft' / 'model.ckpt')

    small, report = stripped_and_saved(soft, plan, tmp_path / 'small')

    assert {group.name: group.width for group in plan.groups} == groups
    assert small.plan.removed_count == plan.removed_count > 0
    assert small.comparison.relative <= 1e-5
    assert len(report['random_ops']) == 1
    assert all(e['max_difference_relative'] <= 1e-5 for e in report['exports'])
    assert 'random_ops' in stripping.report(small)


def test_an_unknown_kind_of_statistics_is_an_error():
    with pytest.raises(OptionError, match="expected one of 'moving', 'batch'"):
        tp.LoadOptions(batch_norm='none')
