from __future__ import annotations

import threading
import time

import pytest

from tests.cluster.test_tasks import nowhere
from tf1pruning.cluster.step_watch import StepWatch
from tf1pruning.cluster.tasks import Task
from tf1pruning.errors import WorkflowError


def watch(seconds, store):
    return StepWatch(Task('chief', 0, {'chief': ('a:1',), 'ps': (store,)}), seconds)


def test_work_without_a_step_is_given_up_and_the_silent_ps_named():
    store, never = nowhere(), threading.Event()
    found = watch(0.2, store)

    def work():
        found.wake()
        never.wait(10)

    with pytest.raises(
        WorkflowError, match=f'no step for 0.2 s .no answer from ps-0 at {store}'
    ):
        found.run(work)
    never.set()


def test_who_trains_in_step_names_the_silent_workers():
    worker, never = nowhere(), threading.Event()
    task = Task('chief', 0, {'chief': ('a:1',), 'worker': (worker,)})
    found = StepWatch(task, 0.2)

    def work():
        found.wake()
        never.wait(10)

    with pytest.raises(WorkflowError, match=f'no answer from worker-0 at {worker}'):
        found.run(work)
    never.set()


def test_steps_and_rests_keep_the_work_going():
    found, done = watch(0.3, nowhere()), []

    def work():
        found.wake()
        for _ in range(4):
            time.sleep(0.1)
            found.after_run(None, None)
        found.rest()
        time.sleep(0.5)
        done.append(True)

    found.run(work)

    assert done == [True]


def test_what_the_work_raises_is_raised():
    def work():
        raise KeyError('x')

    with pytest.raises(KeyError):
        watch(1.0, nowhere()).run(work)


def test_work_that_waits_for_a_lost_peer_is_left_when_the_run_is_over():
    never, begun, ended = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        never.wait(10)
        ended.append(True)

    watch(0.2, nowhere()).run(work, is_over=begun.is_set)

    assert begun.is_set() and not ended
    never.set()


def test_work_that_ends_soon_after_the_run_is_awaited():
    done = []

    def work():
        time.sleep(0.3)
        done.append(True)

    watch(5.0, nowhere()).run(work, is_over=lambda: True)

    assert done == [True]
