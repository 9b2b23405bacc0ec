from __future__ import annotations

from benchmarks import mnist_page

FACTS = {
    'epochs': 12,
    'seed': 3,
    'l1': 1e-5,
    'lasso': 3e-4,
    'scored': 5000,
    'criteria': 9,
    'images': 55000,
    'minutes': 7.4,
}
RIGHT = mnist_page.PUBLISHED_UNITS


def test_figures_stand_beside_the_published_ones_and_are_compared():
    plain = {'weights': [0.5] * 10, 'units': [0.5] * 10}
    sparse = {'weights': [1.0] * 10, 'units': list(RIGHT)}
    units = [
        {'zeros': 0.2, 'means': 0.3, 'chosen': 0.9, 'which': 'l1, zeros', 'tuned': 0.98}
    ] * 9

    found = mnist_page.section(FACTS, {'plain': plain, 'sparse': sparse}, units)

    assert 'seed 3, 7 minutes on' in found
    assert '| 0.9 | 0.9688 | 0.5000 | 1.0000 |' in found
    assert (
        '| 0 | 0.9813 | 0.5000 | 0.9813 | 0.9813 | 0.9813 | 0.9813 | - | - |' in found
    )
    row = '0.5000 | 0.3849 | 0.2000 | 0.3000 | 0.9000 | l1, zeros | 0.9800'
    assert f'| 0.9 | 0.3849 | {row} |' in found
    # The last published accuracy of weights is below 0.5, and four of units are.
    assert '*sparse* is above the published accuracy at 10 of 10 shares' in found
    assert '*plain* at 1.' in found
    assert '*sparse* is above it at 0, *plain* at 4' in found
    assert 'better at 9 of 9' in found
    assert '0.9000 before fine-tuning, 0.9800 after an epoch' in found
