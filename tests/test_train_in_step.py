"""The app as chief and worker that take each step together."""

from __future__ import annotations

import json
import time

import pytest

from tests.cluster_runs import SHORT, Tasks, free_cluster, killed_and_back
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.cluster import tasks


@pytest.mark.xdist_group('tasks')
def test_a_run_in_step_finishes_although_worker_and_chief_are_killed(tmp_path):
    with Tasks(tmp_path, free_cluster(ps=0)) as tasks:
        chief, worker = tasks.start('chief'), tasks.start('worker')
        tasks.wait_for('baseline: joined', worker)
        worker = killed_and_back(tasks, worker, 'worker')
        tasks.wait_for('TH0.5: test accuracy', chief)
        told = chief.texts()[0]
        chief = killed_and_back(tasks, chief, 'chief')
        tasks.check_ended(chief, worker)
        said = worker.texts()[0]
        wait_until_free(tasks.cluster)

    assert 'baseline: a task was lost; starting again' in told
    assert said.count('TH0.5: joined') == 2
    assert said.endswith('fine_tuned: joined\nfine_tuned: left\n')
    results = json.loads((tasks.run / 'results.json').read_text())
    assert results['steps'][0]['failure_rate'] == 0.0
    assert results['max_difference_relative'] <= 1e-5
    assert results['fine_tuned']['macs'] == results['stripped']['macs']
    assert results['stripped']['macs'] < results['original']['macs']
    assert Checkpoint(str(tasks.run / 'TH0.5' / 'model.ckpt-2'))['global_step'] == 2


def wait_until_free(jobs, seconds=10):
    """No process that the tasks have started is left."""
    deadline = time.monotonic() + seconds
    addresses = [address for found in jobs.values() for address in found]
    while any(tasks.is_there(address) for address in addresses):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_worker_that_never_comes_is_named_in_time(tmp_path):
    jobs = free_cluster(ps=0)
    with Tasks(tmp_path, jobs, [*SHORT, '--peer_seconds=3']) as tasks:
        good = tasks.put_checkpoint()
        code, _, err = tasks.start('chief').wait()
        assert tasks.has_checkpoint(good)

    assert code == 1
    assert err.startswith(f'Error: chief-0 at {jobs["chief"][0]} made no step for 3 s ')
    assert f'no answer from worker-0 at {jobs["worker"][0]}' in err
    assert err.count('\n') == 1


def test_a_checkpoint_of_another_network_is_named_at_once(tmp_path):
    with Tasks(tmp_path, free_cluster(ps=0)) as tasks:
        tasks.put_checkpoint('baseline')
        code, _, err = tasks.start('chief').wait()

    assert code == 1
    assert err.startswith("Error: chief-0 cannot train 'baseline': Restoring from ")
    assert 'not found in checkpoint' in err
    assert err.count('\n') == 1
