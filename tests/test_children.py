"""Work in a child process."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tf1pruning import children
from tf1pruning.children import ChildError


def fail():
    raise ValueError('no such kernel')


def take_all():
    np.ones(1 << 50, np.uint8)


def crash():
    faulthandler.disable()
    os.abort()


def leave():
    os._exit(3)


def test_a_child_leaves_a_file_behind(tmp_path):
    path = tmp_path / 'found'

    children.run(lambda: path.write_text(str(os.getpid())) and None, 60)

    assert int(path.read_text()) != os.getpid()


@pytest.mark.parametrize(
    ('work', 'message'),
    [
        (fail, '^no such kernel$'),
        (take_all, 'MemoryError|Unable to allocate'),
        (crash, '^it was ended by SIGABRT$'),
        (leave, '^it ended with exit code 3$'),
    ],
)
def test_a_child_that_fails_says_why(work, message):
    with pytest.raises(ChildError, match=message):
        children.run(work, 60)


def test_a_child_that_takes_too_long_is_killed_with_its_own_children():
    reader, writer = os.pipe()

    def wait():
        os.set_inheritable(writer, True)
        command = [sys.executable, '-c', 'import time; time.sleep(600)']
        subprocess.run(command, close_fds=False, check=True)

    started = time.monotonic()
    with pytest.raises(ChildError, match=r'^it takes more than 0\.2 seconds$'):
        children.run(wait, 0.2)
    os.close(writer)

    assert os.read(reader, 1) == b''
    assert time.monotonic() - started < 60


def test_without_fork_the_work_is_done_here(monkeypatch):
    monkeypatch.delattr(os, 'fork')
    found = []

    children.run(lambda: found.append(os.getpid()), 60)

    assert found == [os.getpid()]
    with pytest.raises(ChildError, match='no such kernel'):
        children.run(fail, 60)
