"""The app with a copy of the network on each of several devices."""

from __future__ import annotations

import json

import pytest

from tests.cluster_runs import SHORT, Tasks, free_cluster
from tf1pruning.ckpt.checkpoint import Checkpoint, latest


@pytest.mark.xdist_group('tasks')
def test_a_run_trains_copies_on_two_devices_in_step(tmp_path):
    # A limit that every rate keeps still needs one training.
    flags = [*SHORT, '--devices=cpu:0,cpu:1', '--max_failure_rate=1']
    with Tasks(tmp_path, {}, flags) as tasks:
        tasks.check_ended(tasks.start('', config='{}'))

    results = json.loads((tasks.run / 'results.json').read_text())
    (step,) = results['steps']
    assert (step['retrains'], step['failure_rate']) == (1, 0.0)
    assert results['max_difference_relative'] <= 1e-5
    assert results['fine_tuned']['macs'] == results['stripped']['macs']
    assert results['stripped']['macs'] < results['original']['macs']
    trained = latest(str(tasks.run / 'TH0.5'))
    assert not [key for key in Checkpoint(trained) if 'replica' in key]
    assert '/replica_1"' in (tasks.run / 'TH0.5' / 'graph.pbtxt').read_text()


def test_devices_of_one_machine_are_refused_in_a_cluster(tmp_path):
    with Tasks(tmp_path, free_cluster(), [*SHORT, '--devices=cpu:0,cpu:1']) as tasks:
        code, out, err = tasks.start('chief').wait()

    assert (code, out) == (1, '')
    assert err.startswith('Error: --devices is cpu:0,cpu:1 and TF_CONFIG has a cluster')
    assert not tasks.run.exists()
