"""Lines that say how far long work is."""

from __future__ import annotations

import sys

from tf1pruning.clock import Listener, Progress

# Lines for each part of the work; steps between two where its length is not known.
_LINES, _EVERY = 10, 10


def printer() -> Listener:
    """Prints what it is told to stderr, about ten times for each part of the work."""
    last = Progress('', 0, None, None)

    def listener(progress: Progress) -> None:
        nonlocal last
        if progress.work != last.work or progress.done < last.done:
            last = progress._replace(done=0)
        every = (progress.total or _LINES * _EVERY) / _LINES
        is_next = progress.done // every > last.done // every
        if is_next or progress.done == progress.total:
            print(progress, file=sys.stderr)
            last = progress

    return listener
