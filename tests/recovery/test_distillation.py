from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.recovery import teaching
from tf1pruning.errors import DataError, OptionError
from tf1pruning.recovery import distillation, lessons, run_file
from tf1pruning.recovery.distillation import DistillOptions
from tf1pruning.recovery.run_file import RunFile
from tf1pruning.recovery.store import Disk
from tf1pruning.recovery.student import AnswerLoss, Student

OPTIONS = DistillOptions(steps=20, rates=(0.003, 0.03))


@pytest.fixture(scope='module')
def seen():
    with teaching.teacher() as teacher:
        yield lessons.gather(teaching.batches(), teacher, Disk(1 << 20))


@pytest.fixture(scope='module')
def held_out():
    with teaching.teacher() as teacher:
        yield lessons.gather(teaching.batches(seed=1), teacher, Disk(1 << 20))


@pytest.fixture(scope='module')
def student(seen):
    weights = ['a', 'bias', 'b']
    loss = AnswerLoss(seen.variances)
    with Student(teaching.graph_of(1), weights, teaching.OUTPUTS, loss) as found:
        yield found


@pytest.fixture(scope='module')
def unbroken(student, seen, held_out):
    return distillation.train(student, seen, held_out, OPTIONS)


def test_the_best_weights_are_kept(unbroken, student, held_out):
    losses = dict(unbroken.losses)

    assert list(losses) == list(range(21))
    assert unbroken.best_step == min(losses, key=losses.get) > 0
    assert unbroken.before.loss == losses[0]
    assert unbroken.after.loss == losses[unbroken.best_step] < 0.7 * losses[0]
    assert unbroken.after.change.worst < unbroken.before.change.worst
    student.set_weights(unbroken.weights)
    assert student.measure(held_out.in_order()).loss == unbroken.after.loss


def test_the_better_rate_is_taken(unbroken):
    assert unbroken.rate == 0.03


class Killed(Exception):
    pass


@pytest.mark.parametrize('looks', [1, 2, 3, 9])
def test_a_run_goes_on_where_it_was_killed(
    student, seen, held_out, unbroken, tmp_path, looks
):
    file = RunFile(str(tmp_path / 'run.npz'), 'this run')
    calls = []

    def kills(progress):
        calls.append(progress)
        if len(calls) == looks:
            raise Killed

    with pytest.raises(Killed):
        distillation.train(student, seen, held_out, OPTIONS, file, kills)
    later = []
    found = distillation.train(student, seen, held_out, OPTIONS, file, later.append)

    assert found.losses == unbroken.losses
    for name, array in unbroken.weights.items():
        np.testing.assert_array_equal(found.weights[name], array)
    assert len(later) == 22 - looks
    first, last = calls[0], later[-1]
    assert (first.done, first.total) == (4, 28)
    assert (last.done, last.total) == (28, 28)
    assert 0 < last.change < first.change
    assert last.seconds == 0 < first.seconds
    assert [path.name for path in tmp_path.iterdir()] == ['run.npz']


def test_a_finished_run_is_only_read(student, seen, held_out, unbroken, tmp_path):
    file = RunFile(str(tmp_path / 'run.npz'), 'this run')
    distillation.train(student, seen, held_out, OPTIONS, file)

    later = []
    found = distillation.train(student, seen, held_out, OPTIONS, file, later.append)

    assert later == []
    assert found.losses == unbroken.losses


def test_the_file_of_another_run_is_refused(student, seen, held_out, tmp_path):
    path = str(tmp_path / 'run.npz')
    options = DistillOptions(steps=1, rates=(0.1,))
    distillation.train(student, seen, held_out, options, RunFile(path, 'one'))

    with pytest.raises(DataError, match='is the state of another training'):
        distillation.train(student, seen, held_out, options, RunFile(path, 'two'))


@pytest.mark.parametrize(
    'damage',
    [
        {'losses': ()},
        {'losses': ((0, 1.0), (2, 0.5), (1, 0.6))},
        {'losses': ((0, 1.0), (99, 0.5))},
        {'trials': (1.0, 1.0, 1.0)},
        {'best': {}},
        {'best': {'a': np.ones(3), 'b': np.array('b'), 'bias': np.ones(4)}},
        {'arrays': {'weights': np.ones(3)}},
    ],
)
def test_a_state_that_the_run_cannot_have_is_refused(
    student, seen, held_out, tmp_path, damage
):
    file = RunFile(str(tmp_path / 'run.npz'), 'one')
    options = DistillOptions(steps=2, rates=(0.1, 0.2))
    distillation.train(student, seen, held_out, options, file)
    file.write(dataclasses.replace(file.read(), **damage))

    with pytest.raises(DataError, match='does not hold what this training'):
        distillation.train(student, seen, held_out, options, file)


@pytest.mark.parametrize('arrays', [{}, {'info': np.array('{}')}, {'info': np.ones(2)}])
def test_another_file_is_refused(tmp_path, arrays):
    path = str(tmp_path / 'run.npz')
    np.savez(path, **arrays)

    with pytest.raises(DataError, match='is no state of a training'):
        RunFile(path, 'one').read()


def test_training_stops_when_nothing_gets_better(student, seen, held_out):
    options = DistillOptions(steps=40, rates=(1e9,), patience=2)

    found = distillation.train(student, seen, held_out, options)

    assert (found.best_step, found.steps) == (0, 4)
    assert found.after.loss == found.before.loss


def test_a_digest_names_networks_samples_and_options(seen):
    def digest(seed=0, options=OPTIONS, count=1):
        first = [each for _, each in zip(range(count), seen.in_order())]
        return run_file.digest([teaching.graph_of(seed)], first, options)

    others = [digest(seed=1), digest(options=DistillOptions()), digest(count=2)]
    assert digest() == digest()
    assert digest() not in others


@pytest.mark.parametrize(
    'options',
    [
        {'steps': 0},
        {'rates': ()},
        {'rates': (0.0,)},
        {'rates': (float('nan'),)},
        {'temperature': -1.0},
        {'outputs': 'classes'},
        {'patience': 0},
        {'seed': -1},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match=rf'{next(iter(options))}.*expected'):
        DistillOptions(**options)
