from __future__ import annotations

import json
import threading
import time

import pytest

from tests.cluster.test_tasks import listening, nowhere
from tf1pruning import files
from tf1pruning.cluster import publication
from tf1pruning.cluster.publication import Chief, Follower, Published
from tf1pruning.cluster.tasks import Task
from tf1pruning.errors import DataError, OptionError, WorkflowError

SETTINGS = {'seed': 1}


def cluster(worker='127.0.0.1:2'):
    return {'chief': ('127.0.0.1:1',), 'worker': (worker,), 'ps': ('127.0.0.1:3',)}


def chief(folder, worker=None, seconds=5.0, forget=lambda: None):
    task = Task('chief', 0, cluster(worker or nowhere()))
    return Chief(task, str(folder), SETTINGS, seconds, forget)


def follower(folder, job='worker', settings=None, seconds=5.0):
    task = Task(job, 0, cluster())
    return Follower(task, str(folder), settings or SETTINGS, seconds)


def published(folder):
    found = publication.read(str(folder))
    training = found.training
    return found.number, training.name, training.checkpoint, found.state


def wait_until(is_so, seconds=10):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def left(folder):
    path = folder / 'cluster' / 'worker-0.json'
    return json.loads(path.read_text())['left'] if path.exists() else 0


def test_a_training_is_open_from_its_session_to_its_end(tmp_path):
    with chief(tmp_path) as leader:
        with leader.training(Published('TH0.5', 'pruned.ckpt')) as hook:
            assert published(tmp_path) == (0, '', '', 'closed')
            hook.after_create_session(None, None)
            assert published(tmp_path) == (1, 'TH0.5', 'pruned.ckpt', 'open')
        assert published(tmp_path) == (1, 'TH0.5', 'pruned.ckpt', 'closed')
        leader.done()

    assert published(tmp_path) == (1, 'TH0.5', 'pruned.ckpt', 'done')


def test_a_chief_that_returns_counts_on(tmp_path):
    with chief(tmp_path) as leader, leader.training(Published('a')):
        pass
    with chief(tmp_path) as leader, leader.training(Published('b')) as hook:
        hook.after_create_session(None, None)
        assert published(tmp_path) == (2, 'b', '', 'open')


def test_a_training_that_fails_is_not_closed(tmp_path):
    with pytest.raises(ZeroDivisionError), chief(tmp_path) as leader, leader.training(
        Published('a')
    ) as hook:
        hook.after_create_session(None, None)
        raise ZeroDivisionError

    assert published(tmp_path) == (1, 'a', '', 'open')


def test_a_worker_joins_each_training_once_and_says_that_it_left(tmp_path):
    joined = []

    def follow():
        for found in follower(tmp_path).trainings():
            joined.append((found.name, found.checkpoint, found.details))

    with listening() as address, chief(tmp_path, address) as leader:
        thread = threading.Thread(target=follow)
        thread.start()
        for number, name in ((1, 'a'), (2, 'b')):
            with leader.training(Published(name, f'{name}.ckpt', {'steps': 3})) as hook:
                hook.after_create_session(None, None)
                wait_until(lambda: len(joined) == number)  # noqa: B023
            wait_until(lambda: left(tmp_path) == number)  # noqa: B023
        leader.done()
        thread.join()

    assert joined == [
        ('a', 'a.ckpt', {'steps': 3}),
        ('b', 'b.ckpt', {'steps': 3}),
    ]


def test_a_worker_that_is_gone_holds_nobody_up(tmp_path):
    with chief(tmp_path) as leader, leader.training(Published('a')) as hook:
        hook.after_create_session(None, None)

    assert published(tmp_path) == (1, 'a', '', 'closed')


def test_a_worker_that_hangs_is_named_and_the_next_training_does_not_begin(tmp_path):
    with listening() as address:
        leader = chief(tmp_path, address, seconds=0.2)
        with leader, leader.training(Published('a')) as hook:
            hook.after_create_session(None, None)
        with pytest.raises(
            WorkflowError, match=f'0.2 s for worker-0 at {address} to leave .* .a.'
        ), leader.training(Published('b')):
            pass

    assert published(tmp_path) == (1, 'a', '', 'closed')


def test_variables_are_forgotten_between_trainings_but_not_within_one(tmp_path):
    forgotten = []

    def lead(name):
        return chief(tmp_path, forget=lambda: forgotten.append(name))

    with lead('a') as leader, leader.training(Published('a')):
        pass
    with pytest.raises(ZeroDivisionError), lead('b') as leader, leader.training(
        Published('b')
    ) as hook:
        hook.after_create_session(None, None)
        raise ZeroDivisionError
    with lead('b again') as leader:
        with leader.training(Published('b')):
            pass
        with leader.training(Published('c')):
            pass

    assert forgotten == ['a', 'b', 'b again']


def in_step(address):
    return {'chief': ('127.0.0.1:1',), 'worker': (address,)}


def test_an_attempt_is_open_from_its_begin_to_its_end(tmp_path):
    with chief(tmp_path) as leader:
        with leader.attempt(Published('a')):
            assert published(tmp_path) == (1, 'a', '', 'open')
        assert published(tmp_path) == (1, 'a', '', 'closed')
        with pytest.raises(ZeroDivisionError), leader.attempt(Published('a')):
            raise ZeroDivisionError

    assert published(tmp_path) == (2, 'a', '', 'closed')


def test_a_worker_that_fails_ends_the_attempt_and_joins_the_next(tmp_path):
    joined = []

    def follow():
        task = Task('worker', 0, in_step('127.0.0.1:2'))
        found = Follower(task, str(tmp_path), SETTINGS, 5.0)
        for training in found.trainings():
            joined.append((training.name, found.is_open()))
            if len(joined) == 1:
                found.fail()

    with chief(tmp_path) as leader:
        thread = threading.Thread(target=follow)
        thread.start()
        with leader.attempt(Published('a')) as is_lost:
            wait_until(is_lost)
        with leader.attempt(Published('a')) as is_lost:
            wait_until(lambda: left(tmp_path) == 2)
            assert not is_lost()
        leader.done()
        thread.join()

    assert joined == [('a', True), ('a', True)]


def test_a_worker_that_was_killed_in_an_attempt_has_failed_in_it(tmp_path):
    task = Task('worker', 0, in_step('127.0.0.1:2'))
    presence = tmp_path / 'cluster' / 'worker-0.json'
    files.write_json(str(presence), {'joined': 3, 'left': 2, 'failed': 0})

    Follower(task, str(tmp_path), SETTINGS, 5.0)

    assert json.loads(presence.read_text()) == {'joined': 3, 'left': 3, 'failed': 3}


def test_a_damaged_presence_is_refused_with_a_way_out(tmp_path):
    files.write_text(str(tmp_path / 'cluster' / 'worker-0.json'), '[]')

    with pytest.raises(DataError, match=r'worker-0.json. is damaged .* Delete it'):
        follower(tmp_path)


def test_a_ps_stays_until_the_run_is_done(tmp_path):
    thread = threading.Thread(target=follower(tmp_path, 'ps').wait_until_done)
    thread.start()
    with chief(tmp_path) as leader:
        assert thread.is_alive()
        leader.done()
        thread.join(5)

    assert not thread.is_alive()


@pytest.mark.parametrize('left_behind', [False, True])
def test_a_chief_without_a_sign_of_life_is_named(tmp_path, left_behind):
    what = 'does not exist'
    if left_behind:
        with chief(tmp_path):
            pass
        what = r"stays at training 0 \('', closed\)"

    with pytest.raises(
        WorkflowError, match=f'worker-0 waited 0.2 s .* at 127.0.0.1:1: .* {what}'
    ):
        list(follower(tmp_path, seconds=0.2).trainings())


def test_other_settings_than_those_of_the_chief_are_named(tmp_path):
    other = follower(tmp_path, settings={'seed': 2})

    with chief(tmp_path, seconds=0.4), pytest.raises(
        OptionError, match=r'\(seed: 1 then, 2 now\)'
    ):
        list(other.trainings())


@pytest.mark.parametrize('text', ['', '[]', '{"number": 1}', '{"other": 1}'])
def test_a_damaged_publication_is_refused_with_a_way_out(tmp_path, text):
    files.write_text(publication.path_in(str(tmp_path)), text)

    with pytest.raises(DataError, match='Delete it and start the chief again'):
        publication.read(str(tmp_path))
