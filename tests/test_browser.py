"""scripts/browser, run with made-up programs on PATH."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / 'scripts' / 'browser'
SKIPPED = (
    'browser: no chromium and chromedriver (Debian: apt-get install chromium '
    'chromium-driver); the test that looks at TensorBoard is skipped\n'
)
INSTALLING = 'browser: installing chromium and chromium-driver (about 100 MB)\n'
# Logs what it is asked for; fails where the file `broken` has the word.
APT = """#!/usr/bin/env bash
echo "${@:6}" >>"$HOME/log"
[ "${6}" != "$(cat "$HOME/broken")" ]
"""


class Machine:
    """A PATH with nothing on it but what is put there."""

    def __init__(self, folder):
        self.home = folder
        self.bin = folder / 'bin'
        self.bin.mkdir()
        (folder / 'broken').write_text('')
        (folder / 'log').write_text('')
        for tool in ('bash', 'env', 'cat', 'timeout'):
            (self.bin / tool).symlink_to(shutil.which(tool))

    def program(self, name, text='#!/usr/bin/env bash\n'):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def user(self, number):
        self.program('id', f'#!/usr/bin/env bash\necho {number}\n')

    def run(self):
        return subprocess.run(
            [str(SCRIPT)],
            env={'PATH': str(self.bin), 'HOME': str(self.home)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def calls(self):
        return (self.home / 'log').read_text().splitlines()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_is_done_where_both_programs_are(machine):
    for name in ('chromium', 'chromedriver'):
        machine.program(name)
    machine.program('apt-get', APT)
    machine.user(0)

    done = machine.run()

    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    assert machine.calls() == []


def test_root_installs_both(machine):
    machine.program('chromium')
    machine.program('apt-get', APT)
    machine.user(0)

    done = machine.run()

    assert (done.returncode, done.stdout, done.stderr) == (0, '', INSTALLING)
    packages = '--yes --no-install-recommends chromium chromium-driver'
    assert machine.calls() == [
        'update',
        f'install --download-only {packages}',
        f'install --no-download {packages}',
    ]


@pytest.mark.parametrize(('user', 'has_apt'), [(1000, True), (0, False)])
def test_one_line_says_how_where_it_cannot(machine, user, has_apt):
    if has_apt:
        machine.program('apt-get', APT)
    machine.user(user)

    done = machine.run()

    assert (done.returncode, done.stdout, done.stderr) == (0, '', SKIPPED)
    assert machine.calls() == []


def test_without_a_network_it_is_no_failure(machine):
    machine.program('apt-get', APT)
    machine.user(0)
    (machine.home / 'broken').write_text('install')

    done = machine.run()

    assert (done.returncode, done.stdout) == (0, '')
    assert done.stderr == INSTALLING + SKIPPED
    assert len(machine.calls()) == 2
