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
        # Twice the shift of the others' is a difference that is all spread.
        harmonic = found[cifar_page.key('harmonic', level)]
        harmonic['accuracy'] = 0.61 + 4 * shift
        short = cifar_page.key(cifar_page.SCRATCH_SHORT, level)
        found[short] = {'accuracy': 0.5 + shift}
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
    assert '| harmonic | 65.00 (5.66) |' in section


def test_only_what_exceeds_the_spread_is_said(section):
    others = '`random`; `l1`; `mean_square`; `sparsity`; `geometric_median`; '
    assert f'50% off: `fisher`. Clearly worse: {others}`taylor_abs_rs`.' in section
    # On average harmonic is 4 points above at once, too.
    worse = 'Clearly worse: linear; cubic; at once.'
    assert f'70% off: linear, rate anew. {worse}' in section
    assert 'better than at once at 9 of 12 points, and clearly worse at 0.' in section
    assert 'in each round at 0 of 3 levels, and clearly worse at 3.' in section
    assert 'the same budget at 21 of 21 points' in section
    assert 'the whole budget at 15.' in section
    assert 'from scratch at 0 of 3 levels, and clearly better at 3.' in section


def test_of_one_seed_nothing_is_said_to_be_better():
    found = ' '.join(cifar_page.section(FACTS, SEEDS[:1]).split())

    assert '50% off: `fisher`. Clearly worse: none.' in found
    assert 'the same budget at 0 of 21 points' in found


@pytest.mark.parametrize('count', [1, 2])
def test_the_plot_is_a_png(count):
    assert cifar_plot.plot(SEEDS[:count])[:4] == b'\x89PNG'
