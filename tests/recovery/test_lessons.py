from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.recovery import teaching
from tf1pruning.errors import DataError
from tf1pruning.recovery import lessons
from tf1pruning.recovery.store import Disk
from tf1pruning.scoring.batches import Batches

ALL = 1 << 20


@pytest.fixture(scope='module')
def teacher():
    with teaching.teacher() as found:
        yield found


def rows(answered):
    return answered.feeds['input:0'].tolist()


def first_rows(drawn, count):
    return [rows(answered) for answered in itertools.islice(drawn, count)]


@pytest.mark.parametrize('limit', [ALL, 0])
def test_batches_come_in_order_with_their_answers(teacher, limit):
    found = lessons.gather(teaching.batches(10, 4), teacher, Disk(limit))

    answered = list(found.in_order())

    assert (found.kept is None) == (limit == 0)
    assert [len(each.answers[0]) for each in answered] == [4, 4, 2]
    together = np.concatenate([each.feeds['input:0'] for each in answered])
    np.testing.assert_array_equal(together, teaching.inputs(10))
    expected = np.concatenate([each.answers[0] for each in answered])
    whole = next(teacher.answered(teaching.batches(10, 10)))
    np.testing.assert_allclose(expected, whole.answers[0], atol=1e-6)
    variance = np.square(expected - expected.mean(axis=0)).mean()
    assert found.variances == {'output': pytest.approx(variance, rel=1e-4)}


def test_kept_samples_are_drawn_by_a_seed_each_once_in_a_pass(teacher):
    found = lessons.gather(teaching.batches(12, 4), teacher, Disk(ALL))

    first = first_rows(found.drawn(7, 0), 6)

    assert first == first_rows(found.drawn(7, 0), 6)
    assert first[2:] == first_rows(found.drawn(7, 2), 4)
    assert first != first_rows(found.drawn(8, 0), 6)
    assert first[:3] != first[3:]
    for each in (first[:3], first[3:]):
        assert sorted(itertools.chain(*each)) == sorted(teaching.inputs(12).tolist())


def test_samples_that_are_not_kept_come_again_and_again(teacher):
    found = lessons.gather(teaching.batches(8, 4), teacher, Disk(0))

    four = first_rows(found.drawn(7, 0), 4)

    assert four[:2] == four[2:] == [rows(each) for each in found.in_order()]
    assert first_rows(found.drawn(7, 3), 1) == four[3:]


def test_samples_of_several_shapes_are_not_kept(teacher):
    sizes = [np.zeros([2, 3], np.float32), np.ones([2, 3])]
    given = Batches(lambda: ({'input': array} for array in sizes))

    assert lessons.gather(given, teacher, Disk(ALL)).kept is None


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ([], 'has no batch'),
        ([np.ones([5, 3])], 'same for all samples'),
        ([np.ones([1, 3])], 'same for all samples'),
        ([np.full([2, 3], np.nan)], 'not finite'),
        ([np.ones([2, 4])], 'does not run on the samples: Cannot feed value of shape'),
    ],
)
def test_what_cannot_be_learned_from_is_refused(teacher, arrays, message):
    given = Batches(lambda: ({'input': array} for array in arrays))

    with pytest.raises(DataError, match=message):
        lessons.gather(given, teacher, Disk(ALL))


def test_all_parts_share_the_limit(teacher):
    one = 64 * (3 + 2) * 4
    disk = Disk(one)

    first, second = (
        lessons.gather(teaching.batches(64, 16, seed), teacher, disk) for seed in (0, 1)
    )

    assert first.kept is not None
    assert second.kept is None
    assert disk.used == disk.peak == one
