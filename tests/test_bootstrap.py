"""scripts/bootstrap, run in a copy of the tree with made-up programs on PATH."""

from __future__ import annotations

import pathlib
import platform
import shutil
import subprocess
from typing import List

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The only real programs that the script may find.
TOOLS = (
    *('bash', 'env', 'cat', 'dirname', 'ls', 'mkdir', 'mv', 'rm', 'awk', 'chmod'),
    *('sed', 'uname'),
)

BROKEN_SHIM = """#!/usr/bin/env bash
echo "pyenv: python3.7: command not found" >&2
exit 127
"""

# Says which Python it is, copies itself as the venv's python, logs the rest.
WORKING_PYTHON = r"""#!/usr/bin/env bash
args="$*"; echo "$0 ${args//$'\n'/ }" >>"$FAKE_LOG"
[ "$1" != -c ] || echo 3.7
case "$1 $2" in
  "-m venv") mkdir -p "$4/bin"; cat "$0" >"$4/bin/python"; chmod +x "$4/bin/python" ;;
esac
exit 0
"""


class Tree:
    """A copy of what the bootstrap reads, and a PATH with nothing else on it."""

    def __init__(self, folder: pathlib.Path):
        self.root = folder / 'project'
        self.bin = folder / 'bin'
        self.home = folder / 'home'
        self.log = folder / 'log'
        for made in (self.root / 'scripts', self.bin, self.home):
            made.mkdir(parents=True)
        self.log.write_text('')
        shutil.copy(str(ROOT / 'scripts' / 'bootstrap'), str(self.root / 'scripts'))
        (self.root / 'requirements.txt').write_text('tensorflow==1.15.0\n')
        for name in ('test', 'tf2', 'tf2.15', 'test-tf2'):
            shutil.copy(str(ROOT / f'requirements-{name}.txt'), str(self.root))
        (self.root / 'pyproject.toml').write_text('')
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or f'/bin/{tool}')

    def program(self, path: pathlib.Path, text: str) -> pathlib.Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, **variables: str) -> subprocess.CompletedProcess:
        env = {'PATH': str(self.bin), 'HOME': str(self.home), 'FAKE_LOG': str(self.log)}
        env.update(variables)
        return subprocess.run(
            [str(self.root / 'scripts' / 'bootstrap')],
            env=env,
            cwd=str(self.home),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def calls(self) -> List[str]:
        """Lines of the log that are not the question whether the Python runs."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if ' -c' not in line]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_three_lines_and_exit_1_when_there_is_no_python(tree):
    done = tree.run()

    assert done.returncode == 1
    assert done.stdout == ''
    assert len(done.stderr.splitlines()) == 3
    assert 'uv python install 3.7' in done.stderr
    assert not (tree.root / '.venv').exists()


def test_a_shim_that_does_not_run_is_skipped(tree):
    tree.program(tree.bin / 'python3.7', BROKEN_SHIM)
    real = tree.program(
        tree.home / '.pyenv' / 'versions' / '3.7.16' / 'bin' / 'python', WORKING_PYTHON
    )

    done = tree.run()

    assert done.returncode == 0, done.stderr
    assert f'making .venv with {real}' in done.stderr
    assert tree.calls()[0] == f'{real} -m venv --clear {tree.root}/.venv'


def test_only_a_broken_shim_is_no_python(tree):
    tree.program(tree.bin / 'python3.7', BROKEN_SHIM)

    done = tree.run()

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 3


def test_uv_finds_a_python_that_is_not_on_the_path(tree):
    real = tree.program(tree.home / 'uv' / 'python3.7', WORKING_PYTHON)
    tree.program(
        tree.bin / 'uv',
        f'#!/usr/bin/env bash\n[ "$*" = "python find 3.7" ] && echo {real}\n',
    )

    done = tree.run()

    assert done.returncode == 0, done.stderr
    assert f'making .venv with {real}' in done.stderr


def test_conda_makes_a_python_when_nothing_is_here(tree):
    (tree.home / 'fake').write_text(WORKING_PYTHON)
    tree.program(
        tree.bin / 'conda',
        '#!/usr/bin/env bash\n'
        '[ "$1" = create ] || exit 1\n'
        'mkdir -p "$5/bin"; cat "$HOME/fake" >"$5/bin/python"\n'
        'chmod +x "$5/bin/python"\n',
    )

    done = tree.run()

    assert done.returncode == 0, done.stderr
    assert f'making .venv with {tree.root}/.conda/bin/python' in done.stderr


def test_a_second_run_does_nothing(tree):
    tree.program(tree.bin / 'python3.7', WORKING_PYTHON)
    assert tree.run().returncode == 0
    before = tree.calls()

    done = tree.run()

    assert (done.returncode, done.stderr) == (0, '')
    assert tree.calls() == before


def test_changed_requirements_are_installed_into_the_same_environment(tree):
    tree.program(tree.bin / 'python3.7', WORKING_PYTHON)
    assert tree.run().returncode == 0
    tree.log.write_text('')
    (tree.root / 'requirements.txt').write_text('tensorflow==1.15.5\n')

    assert tree.run().returncode == 0

    calls = tree.calls()
    assert not [call for call in calls if '-m venv' in call]
    assert [call for call in calls if call.endswith('/requirements-test.txt')]


def installed(tree: Tree) -> List[str]:
    """Names of the files of requirements that were installed."""
    calls = (call.rpartition('/') for call in tree.calls() if ' -r ' in call)
    return [name for _, _, name in calls]


def test_the_reference_comes_before_what_is_newer(tree):
    tree.program(tree.bin / 'python3.11', WORKING_PYTHON.replace('3.7', '3.11'))
    tree.program(tree.bin / 'python3.7', WORKING_PYTHON)

    assert tree.run().returncode == 0

    assert installed(tree) == ['requirements-test.txt']


@pytest.mark.parametrize(
    ('version', 'runtime'),
    [('3.9', 'tf2.15'), ('3.11', 'tf2.15'), ('3.12', 'tf2'), ('3.13', 'tf2')],
)
def test_another_python_gets_the_tensorflow_that_it_runs(tree, version, runtime):
    text = WORKING_PYTHON.replace('3.7', version)
    tree.program(tree.bin / f'python{version}', text)

    done = tree.run()

    assert done.returncode == 0, done.stderr
    expected = [f'requirements-{runtime}.txt', 'requirements-test-tf2.txt']
    assert installed(tree) == expected


def test_a_variable_chooses_the_python(tree):
    tree.program(tree.bin / 'python3.7', WORKING_PYTHON)
    tree.program(tree.bin / 'python3.12', WORKING_PYTHON.replace('3.7', '3.12'))

    done = tree.run(TF1PRUNING_PYTHON='python3.12')

    assert done.returncode == 0, done.stderr
    assert installed(tree)[0] == 'requirements-tf2.txt'
    assert tree.run(TF1PRUNING_PYTHON='python3.12').stderr == ''
    assert tree.run().stderr == ''
    other = tree.run(TF1PRUNING_PYTHON='python3.7')
    assert f'making .venv with {tree.bin}/python3.7' in other.stderr


@pytest.mark.parametrize(
    ('name', 'said'),
    [('python3.8', 'Python 3.8 is not supported'), ('python9', 'no such program')],
)
def test_a_python_that_cannot_be_chosen_is_named(tree, name, said):
    tree.program(tree.bin / 'python3.8', WORKING_PYTHON.replace('3.7', '3.8'))

    done = tree.run(TF1PRUNING_PYTHON=name)

    assert done.returncode == 1
    assert said in done.stderr
    assert not (tree.root / '.venv').exists()


@pytest.mark.skipif(
    platform.machine() != 'x86_64' or platform.system() != 'Linux',
    reason='there is no wheel without CUDA',
)
@pytest.mark.parametrize('has_gpu', [False, True])
def test_a_machine_without_a_gpu_gets_tensorflow_without_cuda(tree, has_gpu):
    tree.program(tree.bin / 'python3.7', WORKING_PYTHON)
    if has_gpu:
        tree.program(tree.bin / 'nvidia-smi', '#!/usr/bin/env bash\n')

    assert tree.run().returncode == 0

    copies = tree.root / '.venv' / 'requirements'
    name = 'tensorflow' if has_gpu else 'tensorflow-cpu'
    assert (copies / 'requirements.txt').read_text() == f'{name}==1.15.0\n'
    newer = (copies / 'requirements-tf2.txt').read_text()
    assert f'\n{name}==2.21.0' in newer
    assert ('sys_platform' in newer) != has_gpu


def test_an_interrupted_run_starts_from_an_empty_environment(tree):
    tree.program(tree.bin / 'python3.7', WORKING_PYTHON)
    leftover = tree.program(tree.root / '.venv' / 'bin' / 'python', WORKING_PYTHON)

    assert tree.run().returncode == 0

    venv_call = f'{tree.bin}/python3.7 -m venv --clear {tree.root}/.venv'
    assert tree.calls()[0] == venv_call
    assert leftover.exists()


def test_a_failing_install_leaves_no_stamp(tree):
    tree.program(
        tree.bin / 'python3.7',
        WORKING_PYTHON.replace('exit 0', '[ "$2" != pip ] || exit 3\nexit 0'),
    )

    done = tree.run()

    assert done.returncode == 3
    assert not (tree.root / '.venv' / '.bootstrap-complete').exists()
