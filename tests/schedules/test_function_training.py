"""Rounds of pruning and training by a plain function."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import sessions
from tests.schedules import small
from tests.schedules.test_run import zero_filters
from tf1pruning import files, plan_json
from tf1pruning.choosing.choice import Choice
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError, DataError, OptionError
from tf1pruning.schedules import schedule
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.run import prune_finetune
from tf1pruning.training.pruning_hook import HOLD, PruningHook

TWO_ROUNDS = schedule.spread(Choice(ratio=0.5), 2, 3)


def build():
    """The network, as a program without an Estimator has it."""
    images = tf.placeholder(tf.float32, [None, 6, 6, 3], 'images')
    labels = tf.placeholder(tf.int32, [None], 'labels')
    x = tf.layers.conv2d(images, small.WIDTHS['a'], 3, padding='same', name='a')
    x = tf.layers.conv2d(tf.nn.relu(x), small.WIDTHS['b'], 3, name='b')
    x = tf.reduce_mean(tf.nn.relu(x), [1, 2])
    logits = tf.layers.dense(x, small.CLASSES, name='c')
    tf.identity(logits, 'output')
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    step = tf.train.get_or_create_global_step()
    return tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss, step)


def trained(checkpoint, steps, folder, *hooks):
    """Trains; the checkpoint is that of the last step."""
    with tf.Graph().as_default():
        tf.set_random_seed(0)
        train_op, saver = build(), tf.train.Saver()
        feeds = {'images:0': small.IMAGES, 'labels:0': small.LABELS}
        scaffold = tf.train.Scaffold(saver=saver)
        if checkpoint:
            scaffold = tf.train.Scaffold(
                saver=saver, init_fn=lambda _, s: saver.restore(s, checkpoint)
            )
        with tf.train.SingularMonitoredSession(
            list(hooks), scaffold, config=sessions.unoptimized()
        ) as session:
            for _ in range(steps):
                session.run(train_op, feeds)
            return saver.save(session.raw_session(), os.path.join(folder, 'net'))


def disturbed(checkpoint, steps, folder):
    """Trains, and changes each kernel after it."""
    found = Checkpoint(trained(checkpoint, steps, folder))
    arrays = {name: found[name] for name in found}
    moved = {n: a + 0.1 if n.endswith('kernel') else a for n, a in arrays.items()}
    prefix = os.path.join(folder, 'moved')
    meta = files.read_bytes(found.meta_path)
    writer.write_checkpoint(prefix, ArraysInMemory(moved), meta)
    return prefix


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    return trained('', 4, str(tmp_path_factory.mktemp('base')))


def prune(start, folder, train_fn, options=None, **more):
    return prune_finetune(
        schedule=more.pop('rounds', TWO_ROUNDS),
        checkpoint=start,
        output_dir=str(folder),
        options=Options(groups='all', **(options or {})),
        train_fn=train_fn,
        **more,
    )


def test_rounds_are_trained_by_a_function_that_holds_the_plan(start, tmp_path):
    seen = []

    def train_fn(checkpoint, steps, folder):
        before = os.path.dirname(folder)
        plan = plan_json.load_plan(os.path.join(before, 'plan.json'))
        seen.append((checkpoint, steps))
        trained(checkpoint, steps, folder, PruningHook(plan, HOLD))

    result = prune(
        start,
        tmp_path,
        train_fn,
        eval_fn=lambda checkpoint: {'step': Checkpoint(checkpoint)['global_step']},
    )

    first, last = (tmp_path / f'round_000{number}' for number in (1, 2))
    assert seen == [(str(each / 'pruned' / 'model.ckpt'), 3) for each in (first, last)]
    assert result.checkpoint == str(last / 'trained' / 'net')
    assert result.plan.widths() == {'a': 4, 'b': 6}
    assert {name: len(z) for name, z in zero_filters(result.checkpoint).items()} == {
        'a': 4,
        'b': 6,
    }
    assert [done.metrics for done in result.rounds] == [{'step': 7}, {'step': 10}]
    assert [done.pruned_metrics for done in result.rounds] == [{'step': 4}, {'step': 7}]


def test_zeros_that_a_training_changes_are_written_again(start, tmp_path):
    result = prune(start, tmp_path, disturbed)

    last = tmp_path / 'round_0002'
    assert result.checkpoint == str(last / 'held' / 'model.ckpt')
    gone = zero_filters(result.checkpoint)
    assert [len(gone['a']), len(gone['b'])] == [4, 6]
    free = Checkpoint(str(last / 'trained' / 'moved'))
    held = Checkpoint(result.checkpoint)
    assert free['a/kernel'][..., gone['a']].any()
    kept = [n for n in range(8) if n not in gone['a']]
    np.testing.assert_array_equal(
        held['a/kernel'][..., kept], free['a/kernel'][..., kept]
    )


@pytest.mark.parametrize(
    'options',
    [{'criterion': 'taylor_abs_rs'}, {'criterion': 'reconstruction'}, {'repair': True}],
)
def test_what_looks_at_data_gets_batches_by_name(start, tmp_path, options):
    def batches():
        for rows in (slice(0, 8), slice(8, 16)):
            yield {'images': small.IMAGES[rows], 'labels': small.LABELS[rows]}

    one = schedule.spread(Choice(ratio=0.5), 1, 1)
    with pytest.raises(OptionError, match='looks at data: give input_fn'):
        prune(start, tmp_path, trained, options, rounds=one)
    result = prune(
        start, tmp_path, trained, options, rounds=one, input_fn=lambda: batches()
    )

    assert result.plan.widths() == {'a': 4, 'b': 6}


def test_a_round_that_is_not_good_enough_is_the_last(start, tmp_path):
    accuracies = iter([0.9, 0.9, 0.5, 0.5])
    result = prune(
        start,
        tmp_path,
        trained,
        {'min_accuracy': 0.8},
        eval_fn=lambda checkpoint: {'accuracy': next(accuracies)},
    )

    assert len(result.rounds) == 2
    assert result.checkpoint == str(tmp_path / 'round_0001' / 'trained' / 'net')


@pytest.mark.parametrize(
    'more, error, message',
    [
        ({'train_fn': lambda *_: None}, CheckpointError, 'train_fn left no checkpoint'),
        ({'train_fn': None}, OptionError, 'Nothing trains. Give model_fn and input_fn'),
        ({'model_fn': print}, OptionError, 'in the place of an Estimator'),
        ({'eval_fn': lambda _: 0.5}, DataError, 'eval_fn gives 0.5; expected numbers'),
        ({'eval_fn': lambda _: {'a': 'b'}}, DataError, 'expected numbers by their na'),
    ],
)
def test_what_does_not_fit_is_said(start, tmp_path, more, error, message):
    arguments = {'train_fn': trained, **more}
    with pytest.raises(error, match=message):
        prune(start, tmp_path, **arguments)
