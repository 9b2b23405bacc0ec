from __future__ import annotations

import time

import pytest

from tf1pruning.workflow.phases import Phases, phase


def test_a_phase_inside_another_is_not_counted_twice():
    phases = Phases()
    with phases.phase('write'):
        time.sleep(0.01)
        with phases.phase('verify'):
            time.sleep(0.05)
        time.sleep(0.01)

    assert list(phases.seconds) == ['write', 'verify']
    assert 0.02 <= phases.seconds['write'] < 0.05 <= phases.seconds['verify']


def test_a_phase_that_comes_again_adds_up_even_if_it_fails():
    phases = Phases()
    for _ in range(2):
        with pytest.raises(KeyError), phases.phase('load'):
            time.sleep(0.01)
            raise KeyError('mine')

    assert phases.seconds['load'] >= 0.02


def test_nobody_has_to_count():
    with phase(None, 'load'):
        pass
    phases = Phases()
    with phase(phases, 'load'):
        pass
    assert list(phases.seconds) == ['load']
