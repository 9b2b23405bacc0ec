"""All programs treat their command line alike."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import pytest

from tests import programs
from tf1pruning.cli import main, program
from tf1pruning.errors import OptionError

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


COMMAND = 'from tf1pruning.cli import main\nmain.main()\n'


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


@pytest.mark.parametrize(
    'flag, said',
    [
        ('--max_change=5%', "--max_change is '5%'; expected a number. 5 % is 0.05."),
        ('--seed=1.5', "--seed is '1.5'; expected a whole number."),
    ],
)
def test_a_value_that_is_no_number_is_one_line(flag, said):
    found = programs.run('tools/compress.py', flag)

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == f'Error: {said}\n'


def test_help_lists_flags_by_subject():
    found = programs.run('tools/diff.py', '--help').stdout
    assert 'Flags of' not in found

    found = programs.run('tools/compress.py', '--help').stdout

    own, _, rest = found.partition('Flags of the model and its groups:')
    assert '--target_macs' in own
    assert '--model:' in rest.partition('Flags of samples')[0]


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


@pytest.fixture
def run_command(tmp_path):
    """Runs the installed command `tf1pruning`."""
    return functools.partial(programs.run_code, tmp_path, COMMAND)


def test_without_a_command_all_of_them_are_listed(run_command):
    found = run_command()

    assert (found.returncode, found.stderr) == (0, '')
    for command in main.COMMANDS:
        assert f'\n  {command} ' in found.stdout


def test_an_unknown_command_is_one_line_with_the_nearest_name(run_command):
    found = run_command('strp')

    assert (found.returncode, found.stdout) == (1, '')
    assert found.stderr == (
        "Error: There is no command 'strp'. Nearest names: 'strip', 'sweep', 'score'.\n"
    )


def test_a_command_has_the_flags_of_its_tool(run_command):
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


def test_a_program_needs_no_standard_output(tmp_path):
    code = f'import sys\nsys.stdout = None\n{COMMAND}'
    found = programs.run_code(tmp_path, code, 'analyze', '--model=none/model.ckpt')

    assert found.returncode == 1
    assert found.stderr.startswith("Error: No checkpoint at 'none/model.ckpt'")
    assert found.stderr.count('\n') == 1


def ended(body, monkeypatch, stdout=None):
    """How a program ends that does `body`: its exit code, or its last line."""
    if stdout is not None:
        monkeypatch.setattr(sys, 'stdout', stdout)
    with pytest.raises(SystemExit) as caught, program.ends_in_one_line():
        body()
    return caught.value.code


def test_nobody_has_to_read_what_is_printed(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)

    with open(writer, 'w') as closed:
        assert ended(lambda: print('x'), monkeypatch, closed) == 1


def test_a_full_disk_behind_the_output_is_one_line(monkeypatch):
    with open('/dev/full', 'w') as full:
        said = ended(lambda: print('x'), monkeypatch, full)

    assert said == 'Error: Cannot read or write: No space left on device.'


def test_an_output_in_ascii_takes_every_name(monkeypatch, tmp_path):
    path = tmp_path / 'out'
    with open(str(path), 'w', encoding='ascii') as narrow:
        monkeypatch.setattr(sys, 'stdout', narrow)
        with program.ends_in_one_line():
            print('Größe \udcff')

    assert path.read_bytes() == b'Gr\\xf6\\xdfe \\udcff\n'


def test_an_error_of_the_system_names_the_file(monkeypatch):
    said = ended(lambda: os.listdir('/proc/none'), monkeypatch)

    assert said == "Error: '/proc/none' cannot be used: No such file or directory."


def test_memory_that_is_not_enough_is_one_line(monkeypatch):
    said = ended(lambda: bytearray(1 << 60), monkeypatch)

    assert said.startswith('Error: There is not enough memory. ')


def test_a_working_folder_that_is_gone_is_one_line(monkeypatch, tmp_path):
    gone = tmp_path / 'gone'
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    said = ended(lambda: None, monkeypatch)

    assert said == "Error: '.' cannot be used: The working folder is gone."


def test_an_argument_that_is_not_utf8_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['analyze', '--model=\udcff'])

    said = ended(lambda: None, monkeypatch)

    assert "'--model=\\udcff' cannot be used: The name is not UTF-8" in said


def test_the_last_line_is_that_of_the_error(monkeypatch):
    def fail():
        raise OptionError('Wrong.', options=('verify',))

    assert ended(fail, monkeypatch) == 'Error: Wrong.'
