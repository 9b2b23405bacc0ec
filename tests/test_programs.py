"""All programs treat their command line alike."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import programs
from tf1pruning.cli import main

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


@PROGRAMS
def test_an_unknown_flag_is_one_line_with_the_nearest_name(program):
    found = programs.run(program, '--output_dri=x', '--outputt=x')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr.startswith("Error: Unknown command line flag 'output")
    assert 'Did you mean --output' in found.stderr
    assert found.stderr.count('\n') == 1


@PROGRAMS
def test_an_argument_that_is_no_flag_is_one_line(program):
    required = {
        'train_pruning_class.py': [],
        'tools/analyze.py': ['--model=m'],
        'tools/prune.py': ['--model=c', '--output_dir=d'],
        'tools/score.py': ['--model=c', '--output=o', '--criteria=apoz', '--data=d'],
        'tools/strip.py': ['--model=c', '--output_dir=d'],
        'tools/sensitivity.py': ['--model=c', '--output_dir=d', '--data=d'],
        'tools/sweep.py': ['--model=c', '--output_dir=d', '--data=d'],
        'tools/plot_results.py': ['--run_dir=r', '--output=o'],
    }

    found = programs.run(program, *required[program], 'adam')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == (
        "Error: Unexpected argument 'adam'; every option starts with --.\n"
    )


def test_a_flag_without_a_value_is_not_left_out_silently():
    found = programs.run('tools/strip.py', '--model=c', '--output_dir=d', '--plan=')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == (
        'Error: No value for --plan. Give one, or leave the flag out.\n'
    )


@PROGRAMS
def test_help_tells_what_the_program_does_and_its_flags(program):
    # One of them shows that its imports suffice.
    start = programs.new if program == 'tools/strip.py' else programs.run
    found = start(program, '--help')

    command = os.path.basename(program)[: -len('.py')]
    if command in main.COMMANDS:
        program = f'tf1pruning/cli/{main.COMMANDS[command][0]}.py'
    with open(str(programs.ROOT / program), encoding='utf-8') as file:
        first_line = file.readline().lstrip('r').strip('"\n')
    assert first_line in found.stdout
    assert '--output' in found.stdout
    assert found.stderr == ''


def run_command(*arguments):
    """Runs the installed command `tf1pruning`."""
    script = 'from tf1pruning.cli import main; main.main()'
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', script, *arguments],
        cwd=str(programs.ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=programs.SECONDS,
    )


def test_without_a_command_all_of_them_are_listed():
    found = run_command()

    assert (found.returncode, found.stderr) == (0, '')
    for command in main.COMMANDS:
        assert f'\n  {command} ' in found.stdout


def test_an_unknown_command_is_one_line_with_the_nearest_name():
    found = run_command('strp')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == (
        "Error: There is no command 'strp'. Nearest names: 'strip', 'sweep', 'score'.\n"
    )


def test_a_command_has_the_flags_of_its_tool():
    found = run_command('analyze', '--modle=x')

    assert (found.returncode, found.stdout) == (1, '')
    assert 'Did you mean --model?' in found.stderr


def test_every_command_is_a_tool():
    tools = {path.stem for path in (programs.ROOT / 'tools').glob('*.py')}

    assert tools - {'plot_results'} == set(main.COMMANDS)


def test_a_program_that_takes_too_long_is_not_left_running(tmp_path):
    (tmp_path / 'slow.py').write_text('import time\ntime.sleep(600)\n')
    program = programs.Program(tmp_path / 'slow.py', [])

    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(seconds=0.1)

    assert program.poll() is not None


def test_a_program_needs_no_standard_output():
    script = 'from tf1pruning.cli import main; main.main()'
    found = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            '-c',
            f'import sys; sys.stdout = None; {script}',
        ]
        + ['analyze', '--model=none/model.ckpt'],
        cwd=str(programs.ROOT),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=programs.SECONDS,
    )

    assert found.returncode == 1
    assert found.stderr.startswith("Error: No checkpoint at 'none/model.ckpt'")
    assert found.stderr.count('\n') == 1
