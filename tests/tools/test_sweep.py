from __future__ import annotations

import csv

import pytest

from tests.tools import models


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')), optimizer='adam')


def run_sweep(prefix, folder, *flags):
    return models.run_tool(
        'sweep.py',
        f'--model={prefix}',
        '--output_nodes=output',
        f'--output_dir={folder}',
        '--batches=2',
        '--data=graph',
        *flags,
    )


def test_a_sweep_writes_a_table_curves_and_histograms(prefix, tmp_path):
    done = run_sweep(prefix, tmp_path, '--ratios=0,0.5')

    assert done.returncode == 0, done.stderr
    assert '0.5: weights loss' in done.stdout
    with open(str(tmp_path / 'results.csv')) as file:
        rows = list(csv.DictReader(file))
    assert [row['Sparsity'] for row in rows] == ['0.0000', '0.5000']
    assert rows[0]['Loss (weight)'] == rows[0]['Loss (unit)']
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'loss_accuracy.png',
        'results.csv',
        'units.gif',
        'units_k=0.5.png',
        'units_k=0.png',
        'weights.gif',
        'weights_k=0.5.png',
        'weights_k=0.png',
    ]


@pytest.mark.parametrize('name', ['results.csv', 'units.gif', 'weights_k=0.5.png'])
def test_a_file_that_is_there_stays(name, prefix, tmp_path):
    (tmp_path / name).write_text('mine')

    done = run_sweep(prefix, tmp_path, '--ratios=0,0.5')

    assert (done.returncode, (tmp_path / name).read_text()) == (1, 'mine')
    assert 'choose another folder. See --overwrite.' in done.stderr


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--ratios=0,half'], "--ratios is '0,half'; expected numbers"),
        (
            ['--ratios=0.5,1'],
            'Ratios out of range: 1; expected numbers from 0 to below 1',
        ),
        (['--criterion=fisher'], "'fisher' looks at data and a loss: score the model"),
        (['--mean_replacement=none.npz'], "'none.npz' cannot be read"),
        (['--scores=none.npz'], 'no criterion looks at data'),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(flags, message, prefix, tmp_path):
    done = run_sweep(prefix, tmp_path / 'out', *flags)

    assert (done.returncode, done.stdout) == (1, '')
    assert message in done.stderr
    assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out').exists()
