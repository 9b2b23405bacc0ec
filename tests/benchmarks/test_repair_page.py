from __future__ import annotations

import pytest

from benchmarks import repair_page
from benchmarks.repair_cases import CASES


def seed_of(case, shift):
    """What a seed finds: figures that name their way, level and stage."""
    found = {'baseline': {'accuracy': 0.99 + shift}}
    for number, level in enumerate(case.levels):
        for place, way in enumerate(case.ways):
            row = {'macs_left': 0.5, 'zeros': 0.1, 'repaired': 0.8 - number / 10}
            row['repaired'] += place / 100 + shift
            if way.distilled:
                row['distilled'] = 0.9 + shift
            found[repair_page.key(way, level)] = row
    return found


@pytest.fixture
def case():
    return CASES['digits']


def test_a_section_has_a_row_for_each_level(case):
    section = repair_page.section(case, [seed_of(case, 0), seed_of(case, 0.02)], 3)

    lines = section.splitlines()
    assert lines[-3] == (
        '| 25% | 50.0% | 10.00 (0.00) | 81.00 (1.41) | 82.00 (1.41) | 83.00 (1.41) '
        '| 99.60 | 91.00 (1.41) | 99.70 |'
    )
    assert lines[-1].split(' | ')[5] == '63.00 (1.41)'
    words = ' '.join(section.split())
    assert 'It answers 100.00 (1.41) % of the test images right.' in words
    assert 'seeds 3 to 4, 3 minutes' in words
    assert '150 steps that choose the rate, and at most 250 more' in words


def test_one_seed_has_no_deviation(case):
    section = repair_page.section(case, [seed_of(case, 0)], 3)

    assert '| 25% | 50.0% | 10.00 | 80.00 |' in section
    assert 'seed 3, 3 minutes' in section


def test_each_network_distils_what_it_chooses_last():
    for case in CASES.values():
        assert [way.distilled for way in case.ways[-2:]] == [False, True]
        assert len(case.goals.repaired) == len(case.goals.distilled) == 3
