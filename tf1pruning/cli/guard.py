"""Runs a program in a child, so that whatever ends it becomes one line.

Where memory is short, and on some inputs that they do not check, TensorFlow's ops end
the process that they run in. The parent does nothing but wait, and pass on signals.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from typing import Callable, NoReturn

# What asks a program to end; from the terminal it reaches parent and child alike.
_REQUESTS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_WAITED = {*_REQUESTS, signal.SIGCHLD}
_CODES = 0xFF
# More than a pipe holds, in bytes.
_MOST_SAID = 1 << 20


def run(program: Callable[[], None]) -> None:
    """Runs a program in a child, and ends this process when and as the child ends.

    What the child's C++ code says goes to a pipe, for the last line, and not to the
    terminal. On systems without `sigwaitinfo` there is no child.
    """
    if not hasattr(signal, 'sigwaitinfo'):
        program()
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    alive, parent = os.pipe()
    said, saying = os.pipe()
    for end in (said, saying):
        os.set_blocking(end, False)
    child = os.fork()
    if child:
        os.close(alive)
        _end_as(_status(child), said)
    os.close(parent)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
    # Only Python writes on.
    sys.stderr = os.fdopen(os.dup(2), 'w', 1, sys.stderr.encoding)
    os.dup2(saying, 2)
    _end_after(program)


def _end_after(program: Callable[[], None]) -> NoReturn:
    """Ends the child at once: Python would wait for ops that were left behind."""
    code: object = 0
    try:
        program()
    except SystemExit as end:
        code = end.code or 0
    except KeyboardInterrupt:
        code = 'Stopped.'
    except BaseException:
        code = traceback.format_exc().rstrip()
    if not isinstance(code, int):
        with contextlib.suppress(OSError, ValueError):
            print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code & _CODES)


def _end_with_parent(alive: int) -> None:
    """Ends the child when the parent is gone, which never writes to their pipe."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _status(child: int) -> int:
    """Waits for a process, and passes on what asks this one to end."""
    while True:
        info = signal.sigwaitinfo(_WAITED)
        if info.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
        elif info.si_code <= 0:  # A process sent it, not the terminal.
            os.kill(child, info.si_signo)


def _end_as(status: int, said: int) -> NoReturn:
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    if number in _REQUESTS:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
    print(_last_line(number, said), file=sys.stderr, flush=True)
    os._exit(1)


def _last_line(number: int, said: int) -> str:
    """What to say of a program that a signal has ended."""
    try:
        words = os.read(said, _MOST_SAID).decode(errors='replace')
    except BlockingIOError:  # It said nothing, and its own children may still.
        words = ''
    said_lines = words.replace('what():', '').splitlines()
    lines = [line.strip() for line in said_lines if line.strip()]
    quoted = f' ({lines[-1]})' if lines else ''
    return (
        f'Error: The run was ended by {signal.Signals(number).name}{quoted}. Either '
        'there was not enough memory, or an op of the graph ends TensorFlow. Give '
        'smaller inputs, or name outputs before the op.'
    )
