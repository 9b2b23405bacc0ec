"""Bounds of time and memory for calls that may have no end, or take all memory.

TensorFlow has no limit of memory, and stops neither a kernel nor an import. A call that
takes too long is left behind in its thread. One that takes too much memory fails in
most of TensorFlow's ops; others end the process.
"""

from __future__ import annotations

import contextlib
import re
import threading
from typing import Callable, Iterator, List, Optional, Tuple, TypeVar

from tf1pruning import files

try:
    import resource
except ImportError:  # Not on Windows.
    resource = None  # type: ignore[assignment]

# How much of the memory that is free a call may take; the rest is for others.
_SHARE = 0.75
# Limits of the container that the process may be in.
_CONTAINERS = (
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)
_FREE = re.compile(r'^(?:MemAvailable|SwapFree): +(\d+) kB$', re.MULTILINE)
# Which column of /proc/self/statm counts the pages that the limit is for.
_DATA_COLUMN = 5

T = TypeVar('T')


class LateError(Exception):
    """A call takes longer than it may."""


def run(call: Callable[[], T], seconds: float) -> T:
    """What a call gives, which is left behind if it takes too long.

    Args:
      call: runs in a thread of its own, with at most three quarters of the memory that
        is free.
      seconds: that it may take.

    Raises:
      LateError: if it takes longer.
      Exception: what the call raises.
    """
    results: List[T] = []
    errors: List[BaseException] = []

    def work() -> None:
        try:
            with MEMORY:
                results.append(call())
        except BaseException as error:  # Raised again below.
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise LateError
    if errors:
        raise errors[0]
    return results[0]


class _MemoryLimit:
    """The limit of this process, from the first call that begins to the last that ends.

    Linux counts what is private and can be written to; other systems may have no limit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._before: Optional[Tuple[int, int]] = None

    def __enter__(self) -> None:
        with self._lock:
            self._calls += 1
            most = _most_bytes() if self._calls == 1 else None
            if most is not None:
                self._before = resource.getrlimit(resource.RLIMIT_DATA)
                lowest = min(_known([most, *self._before]))
                resource.setrlimit(resource.RLIMIT_DATA, (lowest, self._before[1]))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1
            if self._calls == 0 and self._before is not None:
                resource.setrlimit(resource.RLIMIT_DATA, self._before)
                self._before = None


MEMORY = _MemoryLimit()


def _known(limits: List[int]) -> List[int]:
    return [each for each in limits if each != resource.RLIM_INFINITY]


def _most_bytes() -> Optional[int]:
    """What the process may have in all; None if the system does not say."""
    try:
        meminfo = files.read_text('/proc/meminfo')
        statm = files.read_text('/proc/self/statm')
    except OSError:
        return None
    free = sum(int(each) << 10 for each in _FREE.findall(meminfo))
    data = int(statm.split()[_DATA_COLUMN]) * resource.getpagesize()
    return data + int(min([free, *_container_limits()]) * _SHARE)


def _container_limits() -> Iterator[int]:
    for path in _CONTAINERS:
        with contextlib.suppress(OSError, ValueError):  # Absent, or the word 'max'.
            yield int(files.read_text(path))
