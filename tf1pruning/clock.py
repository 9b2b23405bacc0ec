"""How far long work is, and how long the rest of it takes."""

from __future__ import annotations

import time
from typing import Callable, NamedTuple, Optional


class Progress(NamedTuple):
    """How far some work is.

    Attributes:
      work: what is done.
      done: steps of it.
      total: of these; None: not known.
      seconds: that are left for it, an estimate; None: not known.
      change: of the outputs as they are now; None: not measured.
    """

    work: str
    done: int
    total: Optional[int]
    seconds: Optional[float]
    change: Optional[float] = None

    def __str__(self) -> str:
        change = '' if self.change is None else f', change {self.change:.4f}'
        left = '' if self.seconds is None else f', about {self.seconds:.0f} s left'
        return f'{self.work}: {self.done} of {self.total or "?"}{change}{left}'


# Is called with the progress from time to time.
Listener = Callable[[Progress], None]


class Clock:
    """Counts the steps of some work and tells a listener.

    Args:
      listener: None: nobody listens.
      work: what is done.
      total: steps of it; None: not known.
    """

    def __init__(self, listener: Optional[Listener], work: str, total: Optional[int]):
        self._listener, self._work, self._total = listener, work, total or None
        self._done = self._skipped = 0
        self.start()

    def start(self) -> None:
        """Starts to measure; what went before does not count."""
        self._started = time.monotonic()

    def skip(self, steps: int) -> None:
        """Counts steps that were done before the clock started, or are left out."""
        self._done += steps
        self._skipped += steps

    def count(self) -> None:
        """Counts a step."""
        self._done += 1

    def tell(self, change: Optional[float] = None) -> None:
        """Tells the listener how far the work is."""
        if self._listener is not None:
            progress = Progress(
                self._work, self._done, self._total, self._left(), change
            )
            self._listener(progress)

    def tick(self) -> None:
        """Counts a step and tells."""
        self.count()
        self.tell()

    def _left(self) -> Optional[float]:
        taken = self._done - self._skipped
        if self._total is None or not taken:
            return None
        spent = time.monotonic() - self._started
        return spent / taken * (self._total - self._done)
