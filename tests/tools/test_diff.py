"""tools/diff.py compares two checkpoints."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tools import models
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory


@pytest.fixture
def pair(tmp_path):
    """Two checkpoints."""
    kernel = np.ones([1, 1, 2, 4], np.float32)
    pruned = kernel.copy()
    pruned[..., 1] = 0
    a = {'kernel': kernel, 'cut': np.ones([2, 3]), 'gone': np.ones(1)}
    b = {'kernel': pruned, 'cut': np.ones([2, 2]), 'step': np.array(7)}
    return [
        writer.write_checkpoint(str(tmp_path / name / 'model'), ArraysInMemory(arrays))
        for name, arrays in (('a', a), ('b', b))
    ]


def test_prints_a_line_for_every_variable(pair):
    done = models.run_tool('diff.py', *pair)

    assert (done.returncode, done.stderr) == (0, '')
    lines = [line.split('  ') for line in done.stdout.splitlines()[2:]]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ['cut', 'other shape', '2x3 -> 2x2', '48', '0.000', '0'],
        [
            'kernel',
            'other values',
            '1x1x2x4',
            '32',
            '1.0e+00',
            '1.0e+00',
            '0.000 -> 0.250',
            '0 -> 1',
        ],
        ['gone', 'only in A', '1', '8', '0.000'],
        ['step', 'only in B', 'scalar', '8', '0.000'],
        ['other shape: 1, other values: 1, only in A: 1, only in B: 1'],
    ]


def test_writes_the_same_as_json(pair, tmp_path):
    target = tmp_path / 'diff.json'

    done = models.run_tool('diff.py', *pair, f'--json={target}')

    assert done.returncode == 0
    found = json.loads(target.read_text())
    assert (found['a'], found['b']) == tuple(pair)
    assert [row['name'] for row in found['variables']] == [
        'cut',
        'kernel',
        'gone',
        'step',
    ]
    assert found['variables'][1] == {
        'name': 'kernel',
        'state': 'other values',
        'size': 32,
        'largest': 1.0,
        'relative': 1.0,
        'first': side(sparsity=0.0, zero_filters=0),
        'second': side(sparsity=0.25, zero_filters=1),
    }


def side(**figures):
    return {'shape': [1, 1, 2, 4], 'dtype': 'float32', 'size': 32, **figures}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'Error: Missing argument A; see --help.\n'),
        (('{a}',), 'Error: Missing argument B; see --help.\n'),
        (('{a}', '{a}', 'more'), "Unexpected argument 'more'; every option starts"),
        (('{a}', 'none/model'), "No checkpoint at 'none/model'"),
        (('{a}', '{a}', '--jsn=x'), "Unknown command line flag 'jsn'"),
    ],
)
def test_a_mistake_is_one_line(pair, arguments, message):
    done = models.run_tool('diff.py', *(a.format(a=pair[0]) for a in arguments))

    assert (done.returncode, done.stdout) == (1, '')
    assert message in done.stderr
    assert done.stderr.count('\n') == 1


def test_help_says_what_the_program_does():
    done = models.run_tool('diff.py', '--help')

    assert 'Compares two checkpoints' in done.stdout
    assert '--json' in done.stdout
