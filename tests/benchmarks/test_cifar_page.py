from __future__ import annotations

import pytest

from benchmarks import cifar_page, cifar_plot

FACTS = {
    'epochs': 10.0,
    'tune_epochs': 1.0,
    'minutes': 30,
    'scored': 5000,
}


def findings(shift):
    """Of a seed; the later a criterion, or a schedule, the better."""
    found = {'baseline': {'accuracy': 0.75 + shift}}
    for level in cifar_page.LEVELS:
        kinds = [*cifar_page.CRITERIA, *cifar_page.WAYS]
        for number, kind in enumerate(kinds):
            found[cifar_page.key(kind, level)] = {'accuracy': 0.6 + number / 100}
        for kind in cifar_page.CRITERIA:
            left = {'pruned': 0.25, 'macs_left': 1 - level, 'parameters_left': 0.5}
            found[cifar_page.key(kind, level)].update(left)
        cubic = found[cifar_page.key('cubic', level)]
        cubic['accuracy'] += 3 * shift
        short = cifar_page.key(cifar_page.SCRATCH_SHORT, level)
        found[short] = {'accuracy': 0.5}
        found[cifar_page.key(cifar_page.SCRATCH_LONG, level)] = {'accuracy': 0.65}
    return found


SEEDS = [findings(0.0), findings(0.02)]


@pytest.fixture(scope='module')
def section():
    return ' '.join(cifar_page.section(FACTS, SEEDS).split())


def test_figures_are_means_with_deviations(section):
    assert '2 seeds from 0 on, 30 minutes' in section
    assert 'flips; 76.00 (1.41) % of the 10,000' in section
    assert 'leaves the same widths, and 70%, 50%, 30% of the MACs' in section
    cells = '25.00 (0.00) | 61.00 (0.00)'
    assert f'| l1 | {cells} | {cells} | {cells} |' in section
    assert '| scratch, 11 epochs |  | 65.00 (0.00) |' in section.replace('| |', '|  |')
    assert '| at once | 61.00 (0.00) | 61.00 (0.00) | 61.00 (0.00) |' in section
    assert '| cubic | 72.00 (4.24) | 72.00 (4.24) | 72.00 (4.24) |' in section
    assert 'those of all rows: 1.18, 1.18, 1.18 points' in section


def test_only_what_exceeds_the_spread_is_said(section):
    worse = '`random`; `l1`; `mean_square`; `sparsity`'
    assert f'50% off: `fisher`. Clearly worse: {worse}.' in section
    worse = 'at once; harmonic; linear'
    assert f'70% off: cubic. Clearly worse: {worse}.' in section
    assert 'than at once at 12 of 12 points, and clearly worse at 0.' in section
    assert 'in each round at 0 of 3 levels, and clearly worse at 0.' in section
    assert 'the same budget at 21 of 21 points' in section
    assert 'the whole budget at 9.' in section
    assert 'from scratch at 3 of 3 levels, and clearly worse at 0.' in section


def test_the_plot_is_a_png():
    assert cifar_plot.plot(FACTS, SEEDS)[:4] == b'\x89PNG'
