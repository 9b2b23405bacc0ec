"""Rounds of pruning and training over an Estimator."""

from __future__ import annotations

import json
import os
import signal
import unittest

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import programs
from tests.schedules import small
from tf1pruning.choosing.choice import Choice, Limits, Target
from tf1pruning.choosing.scores import Combination
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import (
    DataError,
    GraphError,
    OptionError,
    PlanError,
)
from tf1pruning.models import reading
from tf1pruning.schedules import paces, schedule
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.run import prune_finetune
from tf1pruning.schedules.schedule import Round
from tf1pruning.steps import stripping
from tf1pruning.steps.selection import select_groups

ALL = {'groups': 'all'}
ONE_ROUND = schedule.spread(Choice(ratio=0.5), 1, 1)


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    """A trained checkpoint."""
    return small.train(tmp_path_factory.mktemp('base'))


def prune(start, folder, rounds, options=None, **arguments):
    arguments = {'config': small.config(), **arguments}
    return prune_finetune(
        small.model_fn,
        small.input_fn,
        schedule=rounds,
        checkpoint=start,
        output_dir=str(folder),
        options=Options(**(options or ALL)),
        **arguments,
    )


def zero_filters(checkpoint):
    """Layer -> its filters that are zero."""
    found = Checkpoint(checkpoint)
    return {
        name: np.flatnonzero(~found[f'{name}/kernel'].any(axis=(0, 1, 2))).tolist()
        for name in small.WIDTHS
    }


@pytest.fixture(scope='module')
def three_rounds(start, tmp_path_factory):
    """Three quarters of each group, in three rounds."""
    rounds = schedule.spread(Choice(ratio=0.75), 3, 2, paces.linear)
    folder = tmp_path_factory.mktemp('three')
    return prune(start, folder, rounds, eval_input_fn=small.eval_input_fn)


def test_rounds_end_at_the_share_and_what_is_gone_stays_gone(three_rounds):
    result = three_rounds

    gone = [zero_filters(done.checkpoint) for done in result.rounds]
    assert [len(each['a']) for each in gone] == [2, 4, 6]
    assert [len(each['b']) for each in gone] == [3, 6, 9]
    for before, after in zip(gone, gone[1:]):
        assert all(set(before[name]) < set(after[name]) for name in after)
    assert [done.share for done in result.rounds] == [0.25, 0.5, 0.75]
    assert set(result.rounds[0].metrics) == {'accuracy', 'global_step', 'loss'}
    assert result.checkpoint == result.rounds[-1].checkpoint
    assert result.plan.widths() == {'a': 2, 'b': 3}


def test_each_round_is_evaluated_before_its_training_too(three_rounds):
    untrained = [done.pruned_metrics for done in three_rounds.rounds]
    folder = os.path.dirname(os.path.dirname(three_rounds.checkpoint))
    estimator = tf.estimator.Estimator(small.model_fn, config=small.config())

    expected = estimator.evaluate(
        small.eval_input_fn, checkpoint_path=os.path.join(folder, 'pruned/model.ckpt')
    )

    # Of checkpoints that were trained for 4 steps at first, then for 2 in each round.
    assert [metrics['global_step'] for metrics in untrained] == [4, 2, 2]
    assert untrained[-1] == {key: float(value) for key, value in expected.items()}
    assert untrained[-1]['loss'] != three_rounds.rounds[-1].metrics['loss']


def test_the_evaluation_before_the_training_may_be_left_out(start, tmp_path):
    options, data = {**ALL, 'evaluate_pruned': False}, small.eval_input_fn

    result = prune(start, tmp_path, ONE_ROUND, options, eval_input_fn=data)

    assert result.rounds[0].pruned_metrics == {}
    assert 'accuracy' in result.rounds[0].metrics


def test_a_start_without_slots_is_not_evaluated_untrained(start, tmp_path):
    weights = {k: v for k, v in Checkpoint(start).items() if 'Momentum' not in k}
    bare = writer.write_checkpoint(str(tmp_path / 'bare'), ArraysInMemory(weights))

    with unittest.TestCase().assertLogs('absl', 'WARNING') as logged:
        result = prune(
            bare, tmp_path / 'run', ONE_ROUND, eval_input_fn=small.eval_input_fn
        )

    assert 'Round 1 is not evaluated untrained: ' in logged.output[0]
    assert 'Momentum not found in checkpoint' in logged.output[0]
    assert result.rounds[0].pruned_metrics == {}


def pooled_means(checkpoint):
    """`[12]` means of what the layer `c` reads."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        small.model_fn(tf.constant(small.IMAGES), small.LABELS, 'eval')
        tf.train.Saver().restore(session, checkpoint)
        return session.run(graph.get_tensor_by_name('Mean:0')).mean(axis=0)


def test_channels_may_leave_their_means_behind(start, tmp_path):
    options = {**ALL, 'mean_replacement': True, 'batches': 2}

    result = prune(start, tmp_path, ONE_ROUND, options)

    whole = Checkpoint(start)
    pruned = Checkpoint(str(tmp_path / 'round_0001' / 'pruned' / 'model.ckpt'))
    gone = list(result.plan.groups[-1].removed)
    share = pooled_means(start)[gone] @ whole['c/kernel'][gone]
    assert len(gone) == 6 and np.abs(share).max() > 1e-3
    np.testing.assert_allclose(pruned['c/bias'] - whole['c/bias'], share, rtol=1e-4)
    assert not pruned['c/kernel'][gone].any()


def test_the_result_is_stripped_exactly_and_costs_what_was_said(three_rounds):
    source = reading.load(three_rounds.checkpoint, ('c/BiasAdd',))
    select_groups(source).check_plan(three_rounds.plan)

    report = stripping.strip_model(source, three_rounds.plan)

    assert report.stripped.kept == ()
    assert report.stripped.arrays['a/kernel'].shape == (3, 3, 3, 2)
    done = three_rounds.rounds[-1]
    assert (done.parameters, done.macs) == (report.after.parameters, report.after.macs)
    # 36 pixels, 3 x 3 x 3 -> 2; 16 pixels, 3 x 3 x 2 -> 3; 3 -> 4 classes.
    assert done.macs == 36 * 27 * 2 + 16 * 18 * 3 + 3 * 4


def test_the_one_that_matters_least_on_data_goes_one_by_one(start, tmp_path):
    rounds = schedule.one_by_one(2, steps=1, flop_penalty=1e-3)
    options = {
        **ALL,
        'criterion': 'taylor_abs_rs',
        'combination': Combination('mean', 'l2'),
        'batches': 2,
    }

    result = prune(start, tmp_path, rounds, options)

    assert [done.removed for done in result.rounds] == [1, 2]


def test_layers_go_one_after_the_other(start, tmp_path):
    rounds = schedule.layer_by_layer([('b', 0.5), ('a', 0.25)], 1)

    result = prune(start, tmp_path, rounds)

    gone = [zero_filters(done.checkpoint) for done in result.rounds]
    assert [(len(g['a']), len(g['b'])) for g in gone] == [(0, 6), (2, 6)]


def test_zeros_of_the_mode_filter_are_held_and_their_readers_stay(start, tmp_path):
    options = {**ALL, 'mode': 'filter'}

    result = prune(start, tmp_path, schedule.spread(Choice(ratio=0.5), 1, 2), options)

    first, last = result.plan.groups
    # Without the hook a gradient, which the batch norm lets through, would wake them.
    assert zero_filters(result.checkpoint) == {
        'a': list(first.removed),
        'b': list(last.removed),
    }
    readers = Checkpoint(result.checkpoint)['b/kernel'][:, :, list(first.removed)]
    assert (len(first.removed), result.plan.mode) == (4, 'filter')
    assert readers.any(axis=(0, 1, 3)).all()


def test_a_ladder_of_thresholds_is_climbed_down(start, tmp_path):
    options = {**ALL, 'criterion': 'sparsity'}

    with unittest.TestCase().assertLogs('absl', 'WARNING') as logged:
        result = prune(start, tmp_path, schedule.ladder([0.99, 0.4], 1), options)

    (warned,) = [line for line in logged.output if 'Round' in line]
    assert 'Round 1 removes no channels besides the 0' in warned
    first, last = result.rounds
    assert first.removed == 0
    assert 0 < last.removed < small.CHANNELS


def test_a_threshold_needs_scores_that_are_shares(start, tmp_path):
    with pytest.raises(OptionError, match=r"'l2' has no threshold .* Give a ratio"):
        prune(
            start, tmp_path, schedule.ladder([0.8, 0.6], 2), {**ALL, 'criterion': 'l2'}
        )
    assert os.listdir(str(tmp_path)) == []
    with pytest.raises(OptionError, match="'fisher' has no threshold"):
        options = {**ALL, 'criterion': 'fisher'}
        prune(start, tmp_path, schedule.ladder([0.8], 2), options)


def test_a_budget_is_met(start, tmp_path):
    rounds = schedule.spread(Choice(target=Target('parameters', 0.5)), 2, 1)
    seen = []

    result = prune(start, tmp_path, rounds, on_round=seen.append)

    source = reading.load(result.checkpoint, ('c/BiasAdd',))
    report = stripping.strip_model(source, result.plan)
    share = report.after.parameters / report.before.parameters
    assert 0.4 < share <= 0.5
    assert tuple(seen) == result.rounds


@pytest.mark.parametrize('outputs', [{}, {'output_nodes': 'c/BiasAdd'}])
def test_a_latency_is_measured_up_to_the_loss_or_named_outputs(
    start, tmp_path, outputs
):
    rounds = schedule.spread(Choice(target=Target('latency', 0.01)), 1, 1)

    with pytest.raises(PlanError, match=r'1\.0% of the latency'):
        prune(start, tmp_path, rounds, {**ALL, **outputs})


def test_the_accuracy_floor_ends_the_run_with_the_round_before(start, tmp_path):
    options = {**ALL, 'metric': 'global_step', 'min_accuracy': 2.0}

    def own_schedule(done):
        return Round(Choice(ratio=0.25 * (1 + len(done))), steps=2 - len(done))

    result = prune(
        start, tmp_path, own_schedule, options, eval_input_fn=small.eval_input_fn
    )

    # The metric is the number of steps: 2, 1.
    assert [done.removed for done in result.rounds] == [5, 10]
    assert result.checkpoint == result.rounds[0].checkpoint
    assert result.plan.removed_count == 5


def test_no_round_may_be_good_enough(start, tmp_path):
    options = {**ALL, 'min_accuracy': 1.5}

    rounds = schedule.iterate(0.5, 1)
    result = prune(start, tmp_path, rounds, options, eval_input_fn=small.eval_input_fn)

    assert len(result.rounds) == 1
    assert (result.checkpoint, result.plan) == (start, None)


def test_the_optimizer_goes_on_and_old_rounds_are_removed(start, tmp_path):
    options = {**ALL, 'keep_optimizer': True, 'keep_rounds': 2}

    result = prune(start, tmp_path, schedule.one_by_one(3, 2), options)

    assert Checkpoint(result.checkpoint)['global_step'] == 6
    assert sorted(os.listdir(str(tmp_path))) == [
        'round_0002',
        'round_0003',
        'state.json',
    ]


# Kills itself in the training of the second round.
_KILLED = """
import os, signal, sys
import tensorflow.compat.v1 as tf
from tests.schedules import small
from tf1pruning.choosing.choice import Choice
from tf1pruning.schedules import schedule
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.run import prune_finetune

start, folder = sys.argv[1:]
done = []

def kill(step):
    if done and step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return step

def model_fn(features, labels, mode):
    spec = small.model_fn(features, labels, mode)
    with tf.control_dependencies([spec.train_op]):
        step = tf.train.get_global_step().read_value()
        return spec._replace(train_op=tf.py_func(kill, [step], tf.int64))

prune_finetune(
    model_fn, small.input_fn, schedule=schedule.spread(Choice(ratio=0.5), 2, 4),
    checkpoint=start, output_dir=folder, options=Options(groups='all'),
    config=small.config(save_checkpoints_steps=2),
    on_round=done.append)
"""


def test_a_killed_run_goes_on_where_it_was(start, tmp_path):
    folder, script = tmp_path / 'killed', tmp_path / 'killed.py'
    script.write_text(_KILLED)
    killed = programs.run(script, start, folder)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    plan = (folder / 'round_0002' / 'plan.json').read_text()
    settings = {'config': small.config(save_checkpoints_steps=2)}
    rounds = schedule.spread(Choice(ratio=0.5), 2, 4)
    seen = []

    result = prune(start, folder, rounds, on_round=seen.append, **settings)

    assert seen == [result.rounds[1]]  # The first was done.
    assert (folder / 'round_0002' / 'plan.json').read_text() == plan
    assert result.plan.widths() == {'a': 4, 'b': 6}
    found = Checkpoint(result.checkpoint)
    assert found.prefix.endswith('model.ckpt-4')
    assert set(found) == set(Checkpoint(start))


def test_a_finished_run_is_not_done_again_and_no_other_takes_its_place(start, tmp_path):
    rounds = schedule.one_by_one(1, 1)
    first = prune(start, tmp_path, rounds)
    seen = []

    again = prune(start, tmp_path, rounds, on_round=seen.append)

    assert seen == []
    assert again.rounds == first.rounds
    assert again.plan == first.plan
    with pytest.raises(OptionError, match=r'other settings .*schedule'):
        prune(start, tmp_path, schedule.one_by_one(2, 1))


def test_a_damaged_state_is_named(start, tmp_path):
    (tmp_path / 'state.json').write_text(json.dumps({'version': 1})[:-2])

    with pytest.raises(DataError, match=r"state.json' is not the state of a run"):
        prune(start, tmp_path, schedule.one_by_one(1, 1))


def test_what_the_last_round_cannot_do_is_said_before_the_first(start, tmp_path):
    rounds = schedule.one_by_one(15, 1, limits=Limits(max_share=0.5))

    with pytest.raises(PlanError, match=r'15 of 20 channels .* let at most 10 go'):
        prune(start, tmp_path, rounds)

    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'criterion': 'l3'}, "no criterion 'l3'"),
        ({'groups': 'some'}, "groups is 'some'"),
        ({'mode': 'soft'}, "Mode is 'soft'"),
        ({'batches': 0}, 'batches is 0'),
        ({'keep_rounds': 1}, 'keep_rounds is 1'),
        ({'mean_replacement': True, 'mode': 'filter'}, "needs mode 'block'"),
        ({'min_accuracy': 0.9}, 'give eval_input_fn'),
    ],
)
def test_bad_options_are_refused(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        prune('nowhere', tmp_path, schedule.one_by_one(1, 1), options)


def test_a_model_without_such_scopes_is_refused(start, tmp_path):
    with pytest.raises(GraphError, match="Scope 'd' matches nothing"):
        options = {**ALL, 'scope_names': ('d',)}
        prune(start, tmp_path, schedule.one_by_one(1, 1), options)


def test_an_evaluation_without_the_metric_is_refused(start, tmp_path):
    options = {**ALL, 'metric': 'top5', 'min_accuracy': 0.5}
    rounds = schedule.one_by_one(1, 1)

    with pytest.raises(DataError, match=r"no 'top5', .* gives 'accuracy'"):
        prune(start, tmp_path, rounds, options, eval_input_fn=small.eval_input_fn)
