from __future__ import annotations

import json

import pytest

from tests.tools import models


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')), optimizer='adam')


def run_sensitivity(prefix, folder, *flags):
    return models.run_tool(
        'sensitivity.py',
        f'--model={prefix}',
        '--output_nodes=output',
        f'--output_dir={folder}',
        '--batches=1',
        '--data=graph',
        *flags,
    )


def test_curves_are_written_and_gone_on_with(prefix, tmp_path):
    scores, folder = tmp_path / 'scores.npz', tmp_path / 'out'
    scored = models.run_tool(
        'score.py',
        f'--model={prefix}',
        '--output_nodes=output',
        f'--output={scores}',
        '--criteria=fisher',
        '--batches=1',
        '--data=graph',
    )
    means = f'--mean_replacement={scores}'
    flags = [f'--scores={scores}', means, '--criteria=l1,fisher']

    one = run_sensitivity(prefix, folder, *flags, '--ratios=0.5')
    more = run_sensitivity(prefix, folder, *flags, '--ratios=0.5,0.75')

    assert scored.returncode == 0, scored.stderr
    # Of more groups than were scored: nothing is measured, and nothing is left.
    lacking = run_sensitivity(prefix, tmp_path / 'no', *flags, '--groups=all')
    assert (lacking.returncode, lacking.stdout) == (1, '')
    assert "no scores by 'fisher' of group" in lacking.stderr
    assert lacking.stderr.endswith(' See --groups.\n')
    assert not (tmp_path / 'no').exists()
    assert (one.returncode, more.returncode) == (0, 0), one.stderr + more.stderr
    assert '\n8 points of 2 groups' in one.stdout
    assert '\n16 points of 2 groups' in more.stdout
    found = json.loads((folder / 'sensitivity.json').read_text())
    assert len(found['points']) == 16
    assert len((folder / 'sensitivity.csv').read_text().splitlines()) == 17
    assert (folder / 'sensitivity.png').read_bytes().startswith(b'\x89PNG')


def test_points_after_steps_are_gone_on_with_after_as_many(prefix, tmp_path):
    folder = tmp_path / 'out'
    flags = ['--scope_names=SE1', '--learning_rate=0.1']

    one = run_sensitivity(prefix, folder, *flags, '--ratios=0.5', '--steps=2')
    more = run_sensitivity(prefix, folder, *flags, '--ratios=0.5,0.75', '--steps=2')
    other = run_sensitivity(prefix, folder, *flags, '--ratios=0.5', '--steps=3')

    assert (one.returncode, more.returncode) == (0, 0), one.stderr + more.stderr
    assert '\n2 points of 1 groups' in more.stdout
    found = json.loads((folder / 'sensitivity.json').read_text())
    for point in found['points']:
        change = point['loss'] - found['unpruned']['loss']
        assert point['loss_change'] == change != 0
    assert (folder / 'loss_change.png').read_bytes().startswith(b'\x89PNG')
    assert other.returncode == 1
    assert 'of another model, other data, steps or scores' in other.stderr


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--ratios=0.5,x'], "--ratios is '0.5,x'; expected numbers"),
        (['--ratios=0'], 'A ratio is 0.0; expected between 0 and 1'),
        (['--criteria=l3'], "no criterion 'l3'"),
        (['--steps=-1'], '--steps is -1; expected 0 or more'),
        (['--learning_rate=0.1'], '--learning_rate belongs to --steps'),
        (['--steps=2', '--learning_rate=0'], 'learning rate is 0.0; expected above 0'),
        (['--mean_replacement=none.npz'], "'none.npz' cannot be read"),
        (['--criteria=fisher'], 'looks at data and a loss'),
        (['--scores=none.npz'], 'no criterion looks at data'),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(flags, message, prefix, tmp_path):
    done = run_sensitivity(prefix, tmp_path / 'out', *flags)

    assert (done.returncode, done.stdout) == (1, '')
    assert message in done.stderr
    assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out').exists()
