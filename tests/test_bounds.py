"""Calls with limits of time and memory."""

from __future__ import annotations

import resource
import threading
import time

import numpy as np
import pytest

from tf1pruning import bounds


def limit():
    return resource.getrlimit(resource.RLIMIT_DATA)


AT_FIRST = limit()


@pytest.fixture(autouse=True)
def alone():
    """Waits for the calls that other tests have left behind."""
    until = time.monotonic() + 30
    while limit() != AT_FIRST and time.monotonic() < until:
        time.sleep(0.01)


def test_a_call_gives_its_result_or_its_error():
    assert bounds.run(lambda: 3, 10) == 3
    with pytest.raises(KeyError, match='gone'):
        bounds.run(lambda: {}['gone'], 10)


def test_a_call_that_takes_too_long_is_left_behind():
    may_end = threading.Event()

    with pytest.raises(bounds.LateError):
        bounds.run(may_end.wait, 0.01)

    may_end.set()


def test_a_call_has_less_memory_than_is_free_and_only_as_long_as_it_runs():
    before = limit()

    def take_all():
        assert limit()[0] < 1 << 50
        return np.ones(1 << 50, np.uint8)

    with pytest.raises(MemoryError):
        bounds.run(take_all, 10)
    assert limit() == before


def test_a_lower_limit_stays():
    before = limit()
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 31, before[1]))
    try:
        assert bounds.run(limit, 10) == (1 << 31, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_calls_that_overlap_share_a_limit():
    before = limit()

    def nested():
        inner = bounds.run(limit, 10)
        return inner, limit()

    inner, outer = bounds.run(nested, 10)

    assert inner == outer != before
    assert limit() == before


def test_a_system_that_does_not_tell_sets_no_limit(monkeypatch):
    def missing(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(bounds.files, 'read_text', missing)

    assert bounds.run(limit, 10) == limit()
