"""Programs in processes of their own that need not import TensorFlow again.

A server process imports it and the library once, at the first start, and forks itself
for each program. What starts is a process like any other: with its own arguments,
environment, working directory and files for what it prints, and it may be killed. What
a program itself has to import is seen only in `new`, a Python started from nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import resource
import runpy
import subprocess
import sys
import tempfile
import warnings

import tensorflow.compat.v1 as tf

from tests import sessions
from tf1pruning import versions

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Modules of command lines define flags as they are imported: that is for the programs.
LIBRARY = [
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for path in sorted((ROOT / 'tf1pruning').rglob('[a-z]*.py'))
    if path.parent.name != 'cli'
]
# Longer than any program needs where other work fills the machine.
SECONDS = 1800
NO_LIMIT = resource.RLIM_INFINITY

_SERVER = multiprocessing.get_context('forkserver')
_SERVER.set_forkserver_preload(['tests', *LIBRARY, 'sklearn.datasets'])


class Program:
    """A running program; as a context it is killed at the end.

    Args:
      script: path of the program, from the root of the repository.
      arguments: of the program.
      environment: variables that it has besides, or instead of, those of the tests.
      folder: that it works in.
      largest_file: bytes; a larger one cannot be written.
    """

    def __init__(
        self, script, arguments, environment=(), folder=ROOT, largest_file=NO_LIMIT
    ):
        self._printed = [_new_file(), _new_file()]
        # What a process leaves there when it is killed goes with it.
        self._temporary = tempfile.TemporaryDirectory()
        self._process = _SERVER.Process(
            target=_run,
            args=(
                [str(ROOT / script), *map(str, arguments)],
                {**os.environ, **dict(environment)},
                str(folder),
                self._temporary.name,
                [file.name for file in self._printed],
                largest_file,
            ),
            daemon=True,
        )
        self._process.start()

    def texts(self):
        """What it has printed so far: stdout, stderr."""
        return tuple(_text(file) for file in self._printed)

    def poll(self):
        """The exit code, None while it runs."""
        return self._process.exitcode

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()

    def kill(self):
        """Kills and reaps it, if it still runs."""
        self._process.kill()
        self._process.join()
        self._temporary.cleanup()

    def wait(self, seconds=SECONDS):
        """Waits, and kills what takes longer: exit code, stdout, stderr."""
        with self:
            self._process.join(seconds)
            if self.poll() is None:
                name = self._process.name
                raise subprocess.TimeoutExpired(name, seconds, *self.texts())
            return (self.poll(), *self.texts())


def _new_file():
    return tempfile.NamedTemporaryFile('r')


def _text(file):
    file.seek(0)
    return file.read()


def run(script, *arguments, **options):
    """Runs a program to its end."""
    code, out, err = Program(script, arguments, **options).wait()
    return subprocess.CompletedProcess([script, *arguments], code, out, err)


def run_code(folder, code, *arguments, **options):
    """Runs code as a program, whose script lies in the folder."""
    script = folder / 'script.py'
    script.write_text(code)
    return run(script, *arguments, **options)


def new(script, *arguments):
    """Runs a program in a Python that is started from nothing."""
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def _run(arguments, environment, folder, temporary, printed, largest_file):
    """What the forked process does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.environ['TMPDIR'] = tempfile.tempdir = temporary
    for number, path in enumerate(printed, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    if environment.get('PYTHONWARNINGS') == 'ignore':
        warnings.simplefilter('ignore')
    sys.argv[:] = arguments
    sessions.optimize_none()
    if versions.IS_2 and not arguments[0].startswith(str(ROOT)):
        # Code of a test is a program of TensorFlow 1.
        tf.disable_v2_behavior()
    try:
        runpy.run_path(arguments[0], run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            sys.exit(1)
        sys.exit(end.code or 0)
