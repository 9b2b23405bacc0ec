"""Runs members: processes that each take part in one training, in step with others.

A server of TensorFlow 1.15 remembers the shapes of all collective ops that it ran and
the processes that took part, and nothing can stop it. So neither a training of other
widths nor a peer that was started again fits in: each attempt has new processes.

A member reads one line of JSON from its standard input, and ends when that is closed,
as it is when its parent dies. It writes messages to its standard output, a line of JSON
each.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any, Callable, Dict

from tf1pruning.cluster import tasks
from tf1pruning.errors import WorkflowError

# Exit code of a member that has lost its peers.
LOST = 75

Message = Dict[str, Any]


def run(
    module: str,
    order: Message,
    on_message: Callable[[Message], None],
    is_over: Callable[[], bool],
) -> bool:
    """Runs a member to its end, or ends it.

    Args:
      module: that is run as a program.
      order: what it reads.
      on_message: called with each message.
      is_over: whether to end it.

    Returns:
      Whether it has done its work; if not, it was ended, killed or lost its peers.

    Raises:
      WorkflowError: what it wrote to its standard error, if it failed otherwise.
    """
    with tempfile.TemporaryFile('w+') as errors, subprocess.Popen(
        [sys.executable, '-m', module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        # It finds the same modules.
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        universal_newlines=True,
    ) as process:
        try:
            _converse(process, order, on_message, is_over)
        finally:
            process.kill()
        code = process.wait()
        errors.seek(0)
        said = errors.read()
    if code > 0 and code != LOST:
        raise WorkflowError(_reason(said))
    return code == 0


def _reason(said: str) -> str:
    """Why a program ended: its line `Error: ...`, or all that it printed."""
    start = 'Error: '
    lines = [line for line in said.splitlines() if line.startswith(start)]
    return lines[-1][len(start) :] if lines else said


def _converse(
    process: subprocess.Popen[str],
    order: Message,
    on_message: Callable[[Message], None],
    is_over: Callable[[], bool],
) -> None:
    """Passes messages on until the member closes its standard output, or is over."""
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    process.stdin.write(json.dumps(order) + '\n')
    process.stdin.flush()
    while True:
        try:
            line = lines.get(timeout=tasks.POLL_SECONDS)
        except queue.Empty:
            if is_over():
                return
            continue
        if not line:
            process.wait()
            return
        on_message(json.loads(line))


def _read(stream: IO[str], lines: queue.Queue[str]) -> None:
    """Passes lines on; '' is the end."""
    for line in stream:
        lines.put(line)
    lines.put('')


def read_order() -> Message:
    """Reads what a member is to do; from now on the process ends with its parent.

    What is printed goes to standard error, so that messages stay alone.
    """
    sys.stdout = sys.stderr
    order: Message = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return order


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(LOST)


def tell(message: Message) -> None:
    """Sends a message to the parent."""
    print(json.dumps(message), file=sys.__stdout__, flush=True)
