"""Clocks count steps and estimate how long the rest takes."""

from __future__ import annotations

import pytest

from tf1pruning import clock
from tf1pruning.clock import Clock


@pytest.fixture
def now(monkeypatch):
    """The time of the tests: a list with one number."""
    found = [100.0]
    monkeypatch.setattr(clock.time, 'monotonic', lambda: found[0])
    return found


def test_the_rest_takes_as_long_as_what_was_done_here(now):
    told = []
    timer = Clock(told.append, 'work', 10)
    now[0] += 50
    timer.start()
    timer.skip(4)
    timer.count()
    now[0] += 6
    timer.tick()

    (progress,) = told
    assert progress == ('work', 6, 10, 12.0, None)
    assert str(progress) == 'work: 6 of 10, about 12 s left'


def test_where_the_total_is_not_known_nothing_is_estimated(now):
    told = []
    timer = Clock(told.append, 'work', None)
    timer.tick()
    timer.tell(0.25)

    assert told[0].seconds is None
    assert str(told[1]) == 'work: 1 of ?, change 0.2500'


def test_what_was_only_skipped_has_no_rate(now):
    told = []
    timer = Clock(told.append, 'work', 8)
    timer.skip(8)
    timer.tell()

    assert told == [('work', 8, 8, None, None)]


def test_nobody_has_to_listen():
    timer = Clock(None, 'work', 1)

    assert timer.tick() is None
