"""Work in a child process: it may have no end, take all memory, or crash."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import Callable, NoReturn

from tf1pruning import bounds

_DONE, _FAILED = b'+', b'-'
_READ_BYTES = 1 << 16


class ChildError(Exception):
    """The work failed; the message says why."""


def run(work: Callable[[], None], seconds: float) -> None:
    """Does work in a child; on systems without `fork`, here.

    Args:
      work: writes what it finds to files. It runs no sessions: their threads are not in
        the child.
      seconds: that it may take. Then it is killed, with the processes that it started.

    Raises:
      ChildError: if the work raises, takes too long, or ends the child.
    """
    if not hasattr(os, 'fork'):
        _do(work)
        return
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _be_child(work, writer)
    os.close(writer)
    said = b''
    try:
        said = _read(reader, seconds)
    finally:
        os.close(reader)
        for kill in (os.killpg, os.kill):  # It may not have its group yet.
            with contextlib.suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    if not said:
        raise ChildError(_end(status))
    if not said.startswith(_DONE):
        raise ChildError(said[len(_FAILED) :].decode(errors='replace'))


def _end(status: int) -> str:
    """How a child ended that said nothing."""
    if os.WIFSIGNALED(status):
        return f'it was ended by {signal.Signals(os.WTERMSIG(status)).name}'
    return f'it ended with exit code {os.WEXITSTATUS(status)}'


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:
        raise ChildError(str(error) or repr(error)) from error


def _be_child(work: Callable[[], None], writer: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        with bounds.MEMORY:
            work()
        said = _DONE
    except BaseException as error:
        said = _FAILED + (str(error) or repr(error)).encode(errors='replace')
    with os.fdopen(writer, 'wb') as file:
        file.write(said)
    os._exit(0)


def _read(reader: int, seconds: float) -> bytes:
    """All that is written to a pipe until nobody has it open."""
    end = time.monotonic() + seconds
    found = b''
    while select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(reader, _READ_BYTES)
        if not part:
            return found
        found += part
    raise ChildError(f'it takes more than {seconds:g} seconds')
