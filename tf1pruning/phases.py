"""Measures how long each phase of a program takes."""

from __future__ import annotations

import contextlib
import time
from typing import Dict, Iterator, List, Mapping


class Phases:
    """Seconds per phase, in order of first appearance.

    Attributes:
      seconds: phase -> seconds, without those of phases inside it.
    """

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}
        self._open: List[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts what runs inside; the phase around it, if any, pauses."""
        self._count()
        self._open.append(name)
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def _count(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


def total(*parts: Mapping[str, float]) -> Dict[str, float]:
    """Seconds per phase, summed over several programs.

    >>> total({'load': 1.0, 'trace': 2.0}, {'load': 0.5})
    {'load': 1.5, 'trace': 2.0}
    """
    found: Dict[str, float] = {}
    for seconds in parts:
        for phase, value in seconds.items():
            found[phase] = found.get(phase, 0.0) + value
    return found
