from __future__ import annotations

import json

import pytest

from tests.steps.test_data_scores import model
from tests.studies import trained
from tests.studies.test_probing import DATA
from tf1pruning.errors import DataError, OptionError
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.studies import sensitivity
from tf1pruning.studies.evaluation import Outcome
from tf1pruning.studies.probing import Probe
from tf1pruning.studies.sensitivity import Curves, Point, Question

POINTS = (
    Point('a', 'l1', False, 0.5, 4, 1.5, 0.25, 1.0),
    Point('a', 'l1', True, 0.5, 4, 1.25, None, 0.75),
    Point('a', 'l1', False, 0.25, 2, 1.0, 0.5, 0.5),
)
CURVES = Curves('abc', Outcome(0.5, 0.75), POINTS)


@pytest.fixture(scope='module')
def probe(tmp_path_factory):
    prefix = trained.train(str(tmp_path_factory.mktemp('run') / 'a'))
    return Probe(model(prefix), DATA)


@pytest.fixture(scope='module')
def question(probe):
    source = probe.model
    groups = [g for g in source.groups if g.name in (trained.BLOCK, trained.GATE)]
    scorer = ranking_by('l1').scorer(source)
    return Question(groups, [0.25, 0.5], {'l1': scorer})


def test_every_group_is_pruned_by_itself(probe, question):
    start = Curves('abc', probe.unpruned())

    found = sensitivity.measure(probe, question, start, lambda curves: None)

    assert [(p.group, p.ratio, p.removed) for p in found.points] == [
        (trained.BLOCK, 0.25, 6),
        (trained.BLOCK, 0.5, 12),
        (trained.GATE, 0.25, 1),
        (trained.GATE, 0.5, 2),
    ]
    plan = probe.plan(question.groups[:1], 0.5, question.scorers['l1'])
    expected = probe.pruned(plan)
    assert (found.points[1].loss, found.points[1].accuracy) == (
        expected.loss,
        expected.accuracy,
    )
    assert found.points[1].loss_change == expected.loss - start.unpruned.loss


def test_a_run_that_was_stopped_goes_on_where_it_was(probe, question, tmp_path):
    path = str(tmp_path / 'curves.json')
    start = Curves('abc', probe.unpruned())
    whole = sensitivity.measure(probe, question, start, lambda curves: None)

    def stop_at_three(curves):
        if len(curves.points) == 3:
            raise KeyboardInterrupt
        sensitivity.save(curves, path)

    with pytest.raises(KeyboardInterrupt):
        sensitivity.measure(probe, question, start, stop_at_three)
    saved = []
    known = sensitivity.load(path, 'abc')
    again = sensitivity.measure(probe, question, known, saved.append)

    assert len(known.points) == 2
    assert len(saved) == 2
    assert again == whole


def test_curves_survive_their_file(tmp_path):
    path = str(tmp_path / 'curves.json')
    sensitivity.save(CURVES, path)

    assert sensitivity.load(path, 'abc') == CURVES
    assert sensitivity.load(str(tmp_path / 'none'), 'abc') is None


def test_curves_of_another_model_are_refused(tmp_path):
    path = str(tmp_path / 'curves.json')
    sensitivity.save(CURVES, path)

    with pytest.raises(DataError, match='of another model, other data'):
        sensitivity.load(path, 'xyz')


GOOD = {
    'format': 2,
    'fingerprint': 'abc',
    'unpruned': {'loss': 1, 'accuracy': None},
    'points': [],
}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"format"', 'holds no sensitivity curves'),
        ('[]', 'holds no sensitivity curves'),
        (json.dumps({'format': 1}), 'it has format 1; expected 2'),
        (json.dumps({'format': 2, 'points': []}), "'fingerprint' is missing"),
        (json.dumps({**GOOD, 'points': [{'a': 1}]}), "'a' is unknown"),
        (json.dumps({**GOOD, 'unpruned': 1}), '1 is no object'),
    ],
)
def test_a_damaged_file_is_said(content, message, tmp_path):
    path = tmp_path / 'curves.json'
    path.write_text(content)

    with pytest.raises(DataError, match=message):
        sensitivity.load(str(path), 'abc')


def test_the_table_has_a_row_per_point():
    assert CURVES.as_csv() == (
        'group,criterion,means,ratio,removed,loss,accuracy,loss_change\n'
        'a,l1,0,0.5,4,1.5,0.25,1.0\n'
        'a,l1,1,0.5,4,1.25,,0.75\n'
        'a,l1,0,0.25,2,1.0,0.5,0.5\n'
    )


def test_curves_begin_at_the_unpruned_model():
    zeros, means = CURVES.lines()['a']

    assert (zeros.label, zeros.dashed) == ('l1', False)
    assert list(zeros.shares) == [0.0, 0.25, 0.5]
    assert zeros.values('loss') == [0.5, 1.0, 1.5]
    assert (means.label, means.dashed) == ('l1 (means)', True)
    assert means.values('loss') == [0.5, 1.25]


def test_curves_of_the_change_begin_at_zero():
    zeros, means = CURVES.changes()['a']

    assert zeros.values('loss') == [0.0, 0.5, 1.0]
    assert means.values('loss') == [0.0, 0.75]
    assert means.outcomes[0].accuracy is None


def test_a_ratio_out_of_range_is_refused():
    with pytest.raises(OptionError, match=r'A ratio is 1\.0'):
        Question([], [0.5, 1.0], {'l1': None})
    with pytest.raises(OptionError, match='No ratios or no criteria'):
        Question([], [], {'l1': None})
