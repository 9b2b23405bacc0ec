from __future__ import annotations

import time

import pytest

from tf1pruning.phases import Phases


@pytest.fixture
def set_clock(monkeypatch):
    def set_clock(*seconds):
        monkeypatch.setattr(time, 'perf_counter', iter(seconds).__next__)

    return set_clock


def test_a_phase_inside_another_is_not_counted_twice(set_clock):
    phases = Phases()
    set_clock(10.0, 11.0, 16.0, 18.0)
    with phases.phase('write'), phases.phase('verify'):
        pass

    assert list(phases.seconds.items()) == [('write', 3.0), ('verify', 5.0)]


def test_a_phase_that_comes_again_adds_up_even_if_it_fails(set_clock):
    phases = Phases()
    set_clock(1.0, 2.0, 5.0, 9.0)
    for _ in range(2):
        with pytest.raises(KeyError), phases.phase('load'):
            raise KeyError('mine')

    assert phases.seconds == {'load': 5.0}
