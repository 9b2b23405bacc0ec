"""The hook in two processes that take each step together."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cluster_runs import free_cluster, tf_config
from tests.programs import Program
from tests.training import hooked
from tf1pruning.ckpt.checkpoint import Checkpoint


@pytest.mark.xdist_group('tasks')
def test_the_variables_of_each_task_are_held_and_stay_the_same(tmp_path):
    jobs = free_cluster(workers=1, ps=0)
    processes = [
        Program('tests/training/held_in_step.py', [tf_config(jobs, job), tmp_path])
        for job in ('chief', 'worker')
    ]
    try:
        ended = [process.wait() for process in processes]
    finally:
        for process in processes:
            process.kill()

    assert [code for code, *_ in ended] == [0, 0], ended
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
