"""The app in a subprocess, with trainings of a few steps."""

from __future__ import annotations

import json

import pytest

from demo.training import results
from tests.demo.datasets import files
from tests.demo_runs import SHORT, start

FIGURES = {
    'parameters',
    'macs',
    'prunable_macs',
    'pb_bytes',
    'latency_ms',
    'accuracy',
}


# The tests that share the fixture `runs` share a worker, so that it is made once.
one_worker = pytest.mark.xdist_group('runs')


@one_worker
def test_a_killed_run_goes_on_where_it_was(runs):
    assert set(runs.left['evaluations']) == {'baseline', 'TH0.7'}
    assert runs.left['steps'] == []

    code, stdout, stderr = runs.resumed

    assert (code, stderr) == (0, '')
    assert 'baseline:' not in stdout
    assert 'TH0.7: pruned' in stdout
    assert 'TH0.5: pruned' in stdout


@one_worker
def test_results_have_every_documented_figure(runs):
    for kind in results.KINDS:
        assert set(runs.results[kind]) == FIGURES
        figures = dict(runs.results[kind])
        assert 0 <= figures.pop('accuracy') <= 1
        assert all(value > 0 for value in figures.values())
    assert [step['threshold'] for step in runs.results['steps']] == [0.7, 0.5]
    assert [step['failure_rate'] for step in runs.results['steps']] == [0.0, 0.0]
    assert runs.results['max_difference_relative'] <= 1e-5
    untrained = dict(runs.results['untrained'])
    assert untrained.pop('images') == 48
    assert set(untrained) == {'pruned', 'repaired'}
    assert all(0 <= accuracy <= 1 for accuracy in untrained.values())


@one_worker
def test_the_stripped_network_is_smaller_and_answers_alike(runs):
    original, soft, stripped = (
        runs.results[kind] for kind in ('original', 'soft_pruned', 'stripped')
    )

    assert original['parameters'] == soft['parameters'] == 3774
    assert original['macs'] == soft['macs'] == 166624
    assert stripped['parameters'] < original['parameters']
    assert stripped['prunable_macs'] < original['prunable_macs']
    assert stripped['pb_bytes'] < original['pb_bytes']
    assert stripped['accuracy'] == soft['accuracy']


@one_worker
def test_trained_networks_have_the_widths_of_the_stripped_one(runs):
    stripped, fine_tuned, from_scratch = (
        runs.results[kind] for kind in ('stripped', 'fine_tuned', 'from_scratch')
    )

    assert fine_tuned['pb_bytes'] == from_scratch['pb_bytes']
    assert fine_tuned['pb_bytes'] == pytest.approx(stripped['pb_bytes'], rel=0.02)
    assert (runs.folder / 'fine_tuned' / 'model.ckpt-3.index').exists()
    # As many steps as all the others together: 4 + 2 * 2 + 3.
    assert (runs.folder / 'from_scratch' / 'model.ckpt-11.index').exists()


@one_worker
def test_the_run_ends_with_its_table(runs):
    _, stdout, _ = runs.resumed

    for text in (
        'threshold  failure rate',
        'MACs in blocks',
        '3,774',
        'points',
        'repaired, without training',
        'Repaired on 48 training images',
    ):
        assert text in stdout


@one_worker
def test_every_threshold_step_has_its_folder(runs):
    for name in ('TH0.7', 'TH0.5'):
        assert (runs.folder / name / 'Pruned_Dir' / 'Pruned_Filters.txt').exists()
        assert (runs.folder / name / 'Pruning_Summary.txt').exists()
    assert (runs.folder / 'TH0.5' / 'Stripped_Dir' / 'modify.pb').exists()


@one_worker
def test_other_settings_are_refused_in_the_same_folder(runs):
    before = (runs.folder / 'state.json').read_bytes()

    code, stdout, stderr = start(
        f'--output_dir={runs.folder}', *SHORT, '--retrain_steps=3'
    ).wait()

    assert (code, stdout) == (1, '')
    assert stderr.count('\n') == 1
    assert 'retrain_steps: 2 then, 3 now' in stderr
    assert (runs.folder / 'state.json').read_bytes() == before


def test_a_run_on_a_data_set_of_files_retrains_up_to_its_bound(tmp_path):
    data, run = tmp_path / 'data', tmp_path / 'run'
    data.mkdir()
    files.write_mnist(data)
    flags = (
        f'--output_dir={run}',
        '--dataset=mnist',
        '--model=tiny',
        # With the kernels alone at zero, batch norm wakes the filters at once.
        '--mode=filter',
        '--thresholds=0.5',
        '--max_retrains=2',
        '--train_steps=2',
        '--retrain_steps=2',
        '--finetune_steps=1',
        '--batch_size=4',
        '--latency_runs=1',
    )

    code, stdout, stderr = start(*flags, f'--data_dir={data}').wait()

    assert (code, stderr) == (0, '')
    assert 'the failure rate stays above the limit' in stdout
    found = json.loads((run / 'results.json').read_text())
    (step,) = found['steps']
    assert (step['retrains'], step['folder']) == (2, 'TH0.5_Repruned1')
    assert step['failure_rate'] > 0.1
    assert 'from_scratch' not in found
    # In that mode there is no repair.
    assert 'untrained' not in found
    # There are two images for tests.
    assert found['stripped']['accuracy'] in (0.0, 0.5, 1.0)
    assert found['max_difference_relative'] <= 1e-5

    other = tmp_path / 'other'
    data.rename(other)
    code, stdout, stderr = start(*flags, f'--data_dir={other}').wait()

    assert (code, stdout) == (1, '')
    assert f"data_dir: '{data}' then, '{other}' now" in stderr


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (('--dataset=cifar10',), "'cifar10' needs the folder of its files: --data_dir"),
        (
            ('--dataset=mnist', '--data_dir=docs'),
            "There is no 'train-images-idx3-ubyte' in 'docs', nor the same with .gz.",
        ),
        (('--thresholds=0.8,1.5',), '--thresholds has 1.5; expected between 0 and 1.'),
        (('--thresholds=high',), "--thresholds is 'high'; expected numbers."),
        (('--train_steps=many',), "--train_steps is 'many'; expected a whole number"),
        (('--repair_images=-1',), '--repair_images is -1; expected >= 0.'),
        (
            ('--optimizer=momentun', '--batch_size=0'),
            "--optimizer is 'momentun'; expected one of adadelta, adagrad, adam, ftrl, "
            'momentum, rmsprop, sgd (nearest: momentum); '
            '--batch_size is 0; expected >= 1.',
        ),
    ],
)
def test_a_bad_flag_is_one_line_and_writes_nothing(flags, message, tmp_path):
    folder = tmp_path / 'demo'

    code, stdout, stderr = start(f'--output_dir={folder}', *flags).wait()

    assert (code, stdout) == (1, '')
    assert message in stderr
    assert stderr.count('\n') == 1
    assert not folder.exists()


def test_a_missing_output_dir_is_one_line():
    code, _, stderr = start().wait()

    assert code == 1
    assert stderr == 'Error: --output_dir is missing; see --help.\n'
