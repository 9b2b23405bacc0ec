"""All programs treat their command line alike."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = pytest.mark.parametrize(
    'program',
    [
        'train_pruning_class.py',
        'tools/analyze.py',
        'tools/plot_results.py',
        'tools/prune.py',
        'tools/score.py',
        'tools/sensitivity.py',
        'tools/strip.py',
        'tools/sweep.py',
    ],
)


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@PROGRAMS
def test_an_unknown_flag_is_one_line_with_the_nearest_name(program):
    found = run(program, '--output_dri=x', '--outputt=x')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr.startswith("Error: Unknown command line flag 'output")
    assert 'Did you mean --output' in found.stderr
    assert found.stderr.count('\n') == 1


@PROGRAMS
def test_an_argument_that_is_no_flag_is_one_line(program):
    required = {
        'train_pruning_class.py': [],
        'tools/analyze.py': ['--model=m'],
        'tools/prune.py': ['--checkpoint=c', '--output_dir=d'],
        'tools/score.py': ['--checkpoint=c', '--output=o', '--criteria=apoz'],
        'tools/strip.py': ['--checkpoint=c', '--output_dir=d'],
        'tools/sensitivity.py': ['--checkpoint=c', '--output_dir=d'],
        'tools/sweep.py': ['--checkpoint=c', '--output_dir=d'],
        'tools/plot_results.py': ['--run_dir=r', '--output=o'],
    }

    found = run(program, *required[program], 'adam')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == (
        "Error: Unexpected argument 'adam'; every option starts with --.\n"
    )


def test_a_flag_without_a_value_is_not_left_out_silently():
    found = run('tools/strip.py', '--checkpoint=c', '--output_dir=d', '--plan=')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == (
        'Error: No value for --plan. Give one, or leave the flag out.\n'
    )


@PROGRAMS
def test_help_tells_what_the_program_does_and_its_flags(program):
    found = run(program, '--help')

    with open(os.path.join(ROOT, program), encoding='utf-8') as file:
        first_line = file.readline().lstrip('r').strip('"\n')
    assert first_line in found.stdout
    assert '--output' in found.stdout
    assert found.stderr == ''
