from __future__ import annotations

import pytest

from benchmarks import cifar_tuning_page
from benchmarks.cifar_tuning_page import LEVELS, RATES, REPAIRED, ZEROS, key

FACTS = {
    'epochs': 10.0,
    'tune_epochs': 1.0,
    'minutes': 30,
    'samples': 2000,
    'trained_on': 45000,
    'held_out': 5000,
    'by': 'l1',
}


def findings(shift):
    """Of a seed; at the last rate the held-out images and the others disagree."""
    found = {'baseline': {'accuracy': 0.75 + shift}}
    for level in LEVELS:
        for start, gain in ((ZEROS, 0.0), (REPAIRED, 0.1)):
            found[key(start, level)] = {'accuracy': 0.2 + gain, 'macs_left': 1 - level}
            for number, rate in enumerate(RATES):
                found[key(start, level, rate)] = {
                    'held_out': 0.5 + (number == 1),
                    'accuracy': 0.6 + shift + gain / 10 + number / 10,
                }
    return found


SEEDS = [findings(0.0), findings(0.002)]


@pytest.fixture(scope='module')
def section():
    return ' '.join(cifar_tuning_page.section(FACTS, SEEDS).split())


def test_figures_are_means_with_deviations(section):
    assert '2 seeds from 0 on, 30 minutes' in section
    assert '75.10 (0.14) % of the 10,000 test images' in section
    assert 'so that 70%, 50%, 30% of the MACs are left' in section
    assert 'The best of the rates 0.003, 0.01, 0.03 is chosen' in section
    assert '| zeros, no training | 20.00 (0.00) | 20.00 (0.00)' in section
    assert '| repaired, rate 0.01 | 61.10 (0.14) | 61.10 (0.14)' in section


def test_the_rate_is_chosen_on_images_that_are_held_out(section):
    assert '| zeros, best rate | 70.10 (0.14)' in section
    assert '| repaired, best rate | 71.10 (0.14)' in section


def test_only_what_exceeds_the_spread_is_said(section):
    assert 'than from zeros at 3 of 3 levels, and clearly worse at 0.' in section
    assert 'rates, it is clearly better at 3, and clearly worse at 0.' in section
