"""The hook in two processes that take each step together."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.cluster_runs import ROOT, free_cluster, tf_config
from tests.training import hooked
from tf1pruning.ckpt.checkpoint import Checkpoint


@pytest.mark.xdist_group('tasks')
def test_the_variables_of_each_task_are_held_and_stay_the_same(tmp_path):
    jobs = free_cluster(workers=1, ps=0)
    command = [sys.executable, '-m', 'tests.training.held_in_step']
    processes = [
        subprocess.Popen([*command, tf_config(jobs, job), str(tmp_path)], cwd=str(ROOT))
        for job in ('chief', 'worker')
    ]
    try:
        codes = [process.wait(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()

    assert codes == [0, 0]
    chief, worker = (
        np.load(str(tmp_path / f'{name}.npz')) for name in ('chief-0', 'worker-0')
    )
    assert hooked.is_zero(chief)
    assert hooked.is_zero(Checkpoint(str(tmp_path / 'model.ckpt-1')))
    assert hooked.is_zero(Checkpoint(str(tmp_path / 'model.ckpt-2')))
    assert hooked.cut_and_kept('a/kernel', chief['a/kernel'])[1].all()
    assert not hooked.cut_and_kept('a/kernel', chief['a/kernel/Momentum'])[0].any()
    for name in chief.files:
        np.testing.assert_array_equal(worker[name], chief[name])
