from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tests.surgery import nets
from tf1pruning.errors import DataError, OptionError
from tf1pruning.scoring import result
from tf1pruning.scoring.result import Scores

SCORES = Scores(
    {'fisher': {'a': np.array([[-1.0, -2.0]])}, 'tfo': {'a': np.array([[3.0, 4.0]])}},
    {'net/b/Conv2D': np.array([0.5, 0.25])},
    7,
    1.5,
)


def test_scores_survive_the_file(tmp_path):
    path = str(tmp_path / 'sub' / 'scores.npz')

    SCORES.save(path)
    found = Scores.load(path)

    assert (found.batches, found.loss) == (7, 1.5)
    assert {c: g['a'].tolist() for c, g in found.scores.items()} == {
        'fisher': [[-1.0, -2.0]],
        'tfo': [[3.0, 4.0]],
    }
    assert found.means['net/b/Conv2D'].tolist() == [0.5, 0.25]


def test_scores_that_needed_no_loss_have_none(tmp_path):
    path = str(tmp_path / 'scores.npz')

    dataclasses.replace(SCORES, loss=None).save(path)

    assert Scores.load(path).loss is None


def other(path):
    np.savez(path, x=np.zeros(2))


def newer(path):
    np.savez(path, info=np.array(json.dumps({'format': 3})))


def truncated(path):
    SCORES.save(str(path))
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ('write', 'what'),
    [
        (other, 'is no file of scores: it has format None; expected 2'),
        (newer, 'is no file of scores: '),
        (truncated, 'cannot be read: '),
        (lambda path: None, 'cannot be read: No such file or directory'),
    ],
)
def test_a_file_that_holds_no_scores_is_named(write, what, tmp_path):
    path = tmp_path / 'scores.npz'
    write(path)

    with pytest.raises(DataError, match=rf"scores\.npz' {what}") as caught:
        Scores.load(str(path))

    assert '`score` writes' in str(caught.value)
    assert str(caught.value).count('scores.npz') == 1


def scorer(width=2, criterion='fisher'):
    net = nets.net_of(nets.chain(nets.conv('a', width), nets.conv('b', 3)))
    return net, result.SavedScorer(SCORES, criterion, net.trace, net.arrays)


def test_a_group_is_scored_from_the_file():
    net, score = scorer()

    assert score(net.group('a')).scores.tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    ('name', 'width', 'message'),
    [
        ('a', 3, 'are for 2 channels, and it has 3'),
        ('b', 2, r"no scores by 'fisher' of group 'b'"),
    ],
)
def test_scores_of_another_model_are_refused(name, width, message):
    net, score = scorer(width)

    with pytest.raises(DataError, match=message) as caught:
        score(net.group(name))
    assert caught.value.options == (('groups',) if name == 'b' else ())


ARRAYS = {'a/kernel': np.eye(2), 'a/bias': np.zeros(2)}


@pytest.mark.parametrize(
    'change, message',
    [
        ({'a/kernel': np.eye(2) * 2}, "1 of 2 differ: 'a/kernel'"),
        ({'a/bias': np.zeros(2, np.float32)}, "1 of 2 differ: 'a/bias'"),
        ({'a/kernel': np.eye(2).reshape(1, 4)}, "1 of 2 differ: 'a/kernel'"),
    ],
)
def test_scores_of_other_weights_are_refused_unless_they_are_meant(
    change, message, tmp_path
):
    path = str(tmp_path / 'scores.npz')
    scored = result.digests(ARRAYS, ARRAYS)
    dataclasses.replace(SCORES, weights=scored).save(path)
    found = Scores.load(path)
    other = result.digests({**ARRAYS, **change}, ARRAYS)

    found.check(scored)
    found.of_any_weights().check(other)
    with pytest.raises(DataError, match=f'of other weights .*{message}') as caught:
        found.check(other)
    assert caught.value.options == ('stale_scores',)


def test_weights_that_were_not_scored_make_no_difference_but_some_have_to_be():
    scores = dataclasses.replace(SCORES, weights=result.digests(ARRAYS, ['a/bias']))

    scores.check(result.digests(ARRAYS, ARRAYS))
    with pytest.raises(DataError, match='no name is in both'):
        scores.check(result.digests(ARRAYS, ['a/kernel']))


def test_a_criterion_that_was_not_scored_is_refused():
    with pytest.raises(
        OptionError, match="by 'fisher', 'tfo', not by criterion 'apoz'"
    ):
        scorer(criterion='apoz')


INFO = {'format': 2, 'batches': 7, 'loss': 1.5, 'weights': {'a': 'digest'}}
SCORE, MEAN = 'score:fisher:a', 'mean:net/b/Conv2D'


@pytest.mark.parametrize(
    'change',
    [
        {SCORE: np.zeros(2)},
        {SCORE: np.zeros([1, 2], int)},
        {SCORE: np.array([['x']])},
        {SCORE: np.array([[np.nan]])},
        {SCORE: np.zeros([0, 2])},
        {MEAN: np.zeros([1, 2])},
        {MEAN: np.array(1.0)},
        {MEAN: np.zeros(2, complex)},
        {'x:fisher:a': np.zeros([1, 2])},
        {'score': np.zeros(2)},
        *(
            {'info': np.array(json.dumps({**INFO, key: None}))}
            for key in INFO
            if key != 'loss'
        ),
        *({'info': np.array(json.dumps({**INFO, key: ['x']}))} for key in INFO),
        {'info': np.array(json.dumps({**INFO, 'weights': {'a': 3}}))},
        {'info': np.array(json.dumps({**INFO, 'more': 3}))},
        {'info': np.array('[' * 10**5)},
        {'info': np.zeros(3)},
    ],
    ids=repr,
)
def test_whatever_else_is_in_a_file_of_scores_is_one_kind_of_error(change, tmp_path):
    path = str(tmp_path / 'scores.npz')
    good = {
        'info': np.array(json.dumps(INFO)),
        SCORE: np.zeros([1, 2]),
        MEAN: np.zeros(2, np.float32),
    }
    np.savez(path, **good)
    assert Scores.load(path).weights == {'a': 'digest'}
    np.savez(path, **{**good, **change})

    with pytest.raises(DataError, match='is no file of scores: '):
        Scores.load(path)
