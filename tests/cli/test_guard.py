"""Programs whose end is that of a child."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time

import pytest

from tf1pruning.cli import guard


def guarded(act):
    """The number of a process that does something in a child of its own."""
    parent = os.fork()
    if not parent:
        with contextlib.suppress(BaseException):
            guard.run(act)
        os._exit(7)
    return parent


def end(process):
    """Exit code, or the signal that ended a process, below zero."""
    status = os.waitpid(process, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


def abort():
    faulthandler.disable()
    os.write(2, b'terminate called\n  what():  std::bad_alloc\n')
    os.abort()


def test_what_ends_the_child_is_one_line(capfd):
    assert end(guarded(abort)) == 1

    said = capfd.readouterr().err
    assert said.startswith(
        'Error: The run was ended by SIGABRT (std::bad_alloc). Either there '
        'was not enough memory, or an op'
    )
    assert said.count('\n') == 1


def test_a_child_that_is_killed_said_nothing(capfd):
    assert end(guarded(lambda: os.kill(os.getpid(), signal.SIGKILL))) == 1

    assert 'ended by SIGKILL. Either' in capfd.readouterr().err


def test_what_cannot_be_said_ends_all_the_same():
    def fail():
        sys.stderr = os.fdopen(os.open('/dev/full', os.O_WRONLY), 'w', 1)
        sys.exit('Error: bad.')

    assert end(guarded(fail)) == 1


def test_python_writes_to_the_terminal(capfd):
    def say():
        print('said', file=sys.stderr, flush=True)
        os.write(2, b'noise')

    assert end(guarded(say)) == 0
    assert capfd.readouterr().err == 'said\n'


@pytest.mark.parametrize(
    ('raised', 'code', 'last'),
    [
        (SystemExit(3), 3, ''),
        (SystemExit('Error: bad.'), 1, 'Error: bad.'),
        (KeyboardInterrupt(), 1, 'Stopped.'),
        (ValueError('bad'), 1, 'ValueError: bad'),
    ],
)
def test_a_child_ends_as_python_would(raised, code, last, capfd):
    def fail():
        raise raised

    assert end(guarded(fail)) == code
    assert capfd.readouterr().err.rstrip().endswith(last)


def test_an_op_that_was_left_behind_is_not_waited_for():
    def leave():
        threading.Thread(target=time.sleep, args=(600,)).start()

    assert end(guarded(leave)) == 0


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end_reaches_the_child(number):
    reader, writer = os.pipe()

    def wait():
        signal.signal(number, signal.SIG_DFL)
        os.write(writer, b'.')
        signal.pause()

    parent = guarded(wait)
    os.read(reader, 1)
    os.kill(parent, number)

    assert end(parent) == -number


def test_a_child_does_not_outlive_its_parent():
    reader, writer = os.pipe()

    def wait():
        os.write(writer, b'.')
        time.sleep(600)

    parent = guarded(wait)
    os.close(writer)
    os.read(reader, 1)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)

    # Only the child has the pipe open.
    assert os.read(reader, 1) == b''


def test_without_signals_to_wait_for_there_is_no_child(monkeypatch):
    monkeypatch.delattr(signal, 'sigwaitinfo')

    numbers = []
    guard.run(lambda: numbers.append(os.getpid()))

    assert numbers == [os.getpid()]
