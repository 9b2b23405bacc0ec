"""The app as chief, worker and ps, in processes of this machine."""

from __future__ import annotations

import json
import os

import pytest

from tests import programs
from tests.cluster.test_tasks import listening
from tests.cluster_runs import SHORT, Tasks, free_cluster, killed_and_back, tf_config
from tf1pruning.ckpt.checkpoint import Checkpoint, latest

LOCAL = '127.0.0.1:1'


@pytest.mark.xdist_group('tasks')
def test_two_ps_and_a_worker_train_a_run_in_which_a_worker_and_a_ps_are_killed(
    tmp_path,
):
    # A training after fine_tuned, so that the worker gets over the lost ps in time.
    flags = [*SHORT, '--from_scratch']
    with Tasks(tmp_path, free_cluster(workers=1, ps=2), flags) as tasks:
        chief, worker = tasks.start('chief'), tasks.start('worker')
        stores = [tasks.start('ps', 0), tasks.start('ps', 1)]
        tasks.wait_for('baseline: joined', worker)
        worker = killed_and_back(tasks, worker, 'worker')
        tasks.wait_for('fine_tuned: test accuracy', chief)
        stores[1] = killed_and_back(tasks, stores[1], 'ps', 1)
        tasks.check_ended(chief, worker, *stores)
        said = worker.texts()[0]
        # The same commands again, when nothing is left to do.
        again = [tasks.start(job) for job in ('ps', 'worker', 'chief')]
        tasks.check_ended(*again)

    assert 'fine_tuned: joined\nfine_tuned: left' in said
    results = json.loads((tasks.run / 'results.json').read_text())
    assert results['steps'][0]['failure_rate'] == 0.0
    assert results['max_difference_relative'] <= 1e-5
    assert results['fine_tuned']['macs'] == results['stripped']['macs']
    trained = latest(str(tasks.run / 'TH0.5'))
    assert os.path.exists(f'{trained}.data-00001-of-00002')
    assert Checkpoint(trained)['global_step'] >= 2
    check_tools(tasks.run / 'baseline', tmp_path / 'tools')


def check_tools(model, out):
    """Every tool takes what the cluster trained: partitioned, with devices of it."""
    loss = ['--loss=loss', '--data=graph', '--batches=1']
    scores = out / 'scores.npz'
    for name, *flags in (
        ('analyze',),
        ('score', *loss, '--criteria=fisher', f'--output={scores}'),
        ('sweep', *loss, '--ratios=0.5', '--nohistograms', f'--output_dir={out / "w"}'),
        ('sensitivity', *loss, '--ratios=0.5', f'--output_dir={out / "s"}'),
        ('prune', '--criterion=fisher', f'--scores={scores}', '--ratio=0.5')
        + (f'--output_dir={out / "pruned"}',),
        ('strip', '--keep_optimizer', f'--output_dir={out / "small"}'),
    ):
        source = out / 'pruned' / 'model.ckpt' if name == 'strip' else model
        done = programs.run(f'tools/{name}.py', f'--model={source}', *flags)
        assert done.returncode == 0, (name, done.stderr)
    plan = json.loads((out / 'pruned' / 'plan.json').read_text())
    report = json.loads((out / 'small' / 'report.json').read_text())
    removed = sum(len(group['removed']) for group in plan['groups'])
    assert removed == sum(
        group['before'] - group['after'] for group in report['groups']
    )
    assert removed > 0


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('{"cluster"', 'TF_CONFIG is no JSON'),
        (
            tf_config({'worker': [LOCAL], 'ps': ['127.0.0.1:2']}, 'worker'),
            '"cluster" has no "chief"',
        ),
    ],
)
def test_a_bad_tf_config_is_one_line_and_writes_nothing(config, message, tmp_path):
    with Tasks(tmp_path, {}) as tasks:
        good = tasks.put_checkpoint()
        code, out, err = tasks.start('worker', config=config).wait()

        assert tasks.has_checkpoint(good)

    assert (code, out, err.count('\n')) == (1, '', 1)
    assert message in err
    assert [path.name for path in tasks.run.iterdir()] == ['TH0.9']


def test_a_silent_ps_and_a_missing_chief_are_named_in_time(tmp_path):
    cluster = free_cluster(workers=1, ps=2)
    with Tasks(
        tmp_path, cluster, [*SHORT, '--peer_seconds=2']
    ) as tasks, listening() as silent:
        # It takes calls and does not answer.
        cluster['ps'][1] = silent
        good = tasks.put_checkpoint()
        # Its chief never comes.
        store = tasks.start('ps', 0)
        _, _, alone = store.wait()
        chief = tasks.start('chief')
        code, _, err = chief.wait()
        assert tasks.has_checkpoint(good)

    assert alone.startswith('Error: ps-0 waited 2 s for a sign of the chief at ')
    assert cluster['chief'][0] in alone
    assert code == 1
    assert (
        f'no answer from ps-0 at {cluster["ps"][0]}, ps-1 at {cluster["ps"][1]}' in err
    )
    assert err.count('\n') == alone.count('\n') == 1
