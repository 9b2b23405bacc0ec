"""Filters are ranked by any criterion, and as many go as a choice says."""

from __future__ import annotations

import re
import unittest

import numpy as np
import pytest

from tests.facade.steps import EXPAND, retrained, stripped, zero_filters
from tests.studies.trained import BLOCK, GATE
from tf1pruning import DataError, OptionError, WorkflowError
from tf1pruning.choosing.choice import Choice, Limits, Target
from tf1pruning.choosing.scores import Combination
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.models import reading
from tf1pruning.scoring.result import Scores
from tf1pruning.steps import data_scores
from tf1pruning.steps.selection import select_groups

HALF = Choice(ratio=0.5)


@pytest.fixture(scope='module')
def scores(checkpoint, tmp_path_factory):
    """Path of scores on data of the checkpoint."""
    source = reading.load(checkpoint, ['output'])
    model = data_scores.with_loss(source)
    groups = select_groups(source, ['']).groups.values()
    wanted = ['taylor_abs_rs', 'apoz']
    found = data_scores.score_groups(model, groups, model.pipeline(2), wanted)
    path = str(tmp_path_factory.mktemp('scores') / 'scores.npz')
    found.save(path)
    return path


def test_the_smallest_filters_go_by_l2(new, checkpoint):
    pruning = new(criterion='l2', scope_names=[BLOCK])
    pruning.set_choice(HALF)

    pruning.pruning_process()

    norms = np.linalg.norm(Checkpoint(checkpoint)[EXPAND].reshape([-1, 24]), axis=0)
    assert zero_filters(pruning.pruned_ckpt_path) == sorted(np.argsort(norms)[:12])


def test_the_whole_way_goes_without_a_threshold(new, tmp_path):
    pruning = new(criterion='l1', combination=Combination('mean', 'l2'))
    pruning.set_choice(Choice(target=Target('parameters', 0.8)))
    pruning.pruning_process()
    retrained(pruning, tmp_path / 'retrained')
    pruning.get_pruning_summary(accuracy=0.5)

    report = stripped(pruning).strip_report

    assert pruning.plan.threshold is None
    assert all(group.kept_count % 4 == 0 for group in pruning.plan.groups)
    assert 0.5 < report.after.parameters / report.before.parameters <= 0.8


def test_scores_on_data_rank_filters(new, scores):
    pruning = new(criterion='taylor_abs_rs', scores=scores, scope_names=[BLOCK])
    pruning.set_choice(HALF)

    pruning.pruning_process()

    (found,) = Scores.load(scores).scores['taylor_abs_rs'][BLOCK]
    removed = zero_filters(pruning.pruned_ckpt_path)
    kept = np.delete(found, removed)
    assert len(removed) == 12
    assert found[removed].min() >= kept.max()


def test_scores_from_before_a_retraining_are_refused(new, scores, tmp_path):
    pruning = new(criterion='taylor_abs_rs', scores=scores)
    pruning.set_choice(HALF)
    pruning.pruning_process()
    retrained(pruning, tmp_path / 'retrained')

    with pytest.raises(DataError, match='scores are of other weights'):
        pruning.pruning_process()
    pruning.pruning_process(retrain=True)


def test_the_criterion_may_change_between_steps(new, scores):
    pruning = new(channel_multiple=1)
    pruning.set_choice(HALF)
    pruning.get_pruning_params()
    removed = {}
    for criterion, path in (('sparsity', ''), ('l1', ''), ('taylor_abs_rs', scores)):
        pruning.set_criterion(criterion, path)
        assert pruning.criterion == criterion
        pruning.get_pruning_filters()
        removed[criterion] = pruning.plan.groups[0].removed

    assert {len(each) for each in removed.values()} == {12}
    assert len(set(removed.values())) == 3


def test_shares_on_data_have_a_threshold(new, scores):
    pruning = new(criterion='apoz', scores=scores, scope_names=[GATE])
    pruning.set_threshold(0.99)
    pruning.get_pruning_params()

    pruning.get_pruning_filters()

    assert pruning.plan.threshold == 0.99


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'criterion': 'sparsety'}, r"no criterion 'sparsety'\. Nearest .*'sparsity'"),
        ({'criterion': 'fisher'}, "'fisher' looks at data and a loss: score the model"),
        ({'criterion': 'l2', 'scores': 'SCORES'}, "'l2' looks at weights alone"),
    ],
)
def test_a_criterion_that_cannot_rank_is_refused(new, scores, options, message):
    given = {k: scores if v == 'SCORES' else v for k, v in options.items()}

    with pytest.raises(OptionError, match=message):
        new(**given)
    with pytest.raises(OptionError, match=message):
        new().set_criterion(**given)


def test_missing_scores_are_named(new):
    with pytest.raises(DataError, match=r"'none.npz' cannot be read: No such file"):
        new(criterion='fisher', scores='none.npz')


def test_scores_by_other_criteria_are_named(new, scores):
    pruning = new(criterion='fisher', scores=scores)
    pruning.set_choice(HALF)
    pruning.get_pruning_params()

    with pytest.raises(OptionError, match="scores are by 'taylor_abs_rs', 'apoz'"):
        pruning.get_pruning_filters()


def test_a_threshold_needs_scores_that_are_shares(new):
    with pytest.raises(OptionError, match=r"'l2' has no threshold .* Give a ratio"):
        new(criterion='l2').set_threshold(0.5)
    with pytest.raises(OptionError, match="'l2' has no threshold"):
        new(criterion='l2').set_choice(Choice(threshold=0.5))
    pruning = new()
    pruning.set_threshold(0.5)
    with pytest.raises(OptionError, match="'l2' has no threshold"):
        pruning.set_criterion('l2')


def test_a_choice_has_the_multiples_of_the_object(new):
    pruning = new(scope_names=[BLOCK])
    pruning.set_choice(Choice(ratio=0.5, limits=Limits(multiple=8)))
    pruning.get_pruning_params()

    with pytest.raises(OptionError, match='multiples of 8, and channel_multiple is 4'):
        pruning.get_pruning_filters()


def test_without_threshold_or_choice_both_are_named(new):
    with pytest.raises(WorkflowError, match=r'set_threshold\(\) or set_choice\(\)'):
        new().pruning_process()


def test_a_criterion_that_draws_follows_the_seed(new):
    def drawn(pruning):
        pruning.set_choice(HALF)
        pruning.get_pruning_params()
        pruning.get_pruning_filters()
        return [group.removed for group in pruning.plan.groups]

    first, other = (drawn(new(criterion='random', seed=seed)) for seed in (0, 1))
    again = new(criterion='l1')
    again.set_criterion('random', seed=1)

    assert first != other
    assert drawn(again) == other


@pytest.mark.parametrize(
    'amount, reason',
    [
        (Choice(ratio=0.01), 'less than one channel of each group'),
        (Choice(count=1), 'a multiple of 4 within the limits'),
    ],
)
def test_a_warning_says_why_nothing_goes(new, amount, reason):
    pruning = new(scope_names=[BLOCK])
    pruning.set_choice(amount)

    with unittest.TestCase().assertLogs('absl', 'WARNING') as logged:
        pruning.pruning_process()

    assert pruning.plan.removed_count == 0
    assert re.search(f'Nothing goes: .*{reason}', ' '.join(logged.output))
