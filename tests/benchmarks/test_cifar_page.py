from __future__ import annotations

from benchmarks import cifar_page

FACTS = {'epochs': 10.0, 'tune_epochs': 1.0, 'seed': 0, 'minutes': 30, 'scored': 5000}


def findings():
    found = {'whole': {'accuracy': 0.75}}
    for level in cifar_page.LEVELS:
        for number, kind in enumerate(cifar_page.CRITERIA):
            found[cifar_page.key(kind, level)] = {
                'pruned': 0.25,
                'accuracy': 0.6 + number / 100,
                'macs_left': 1 - level,
                'parameters_left': 0.5,
            }
        in_rounds = cifar_page.key(cifar_page.IN_ROUNDS, level)
        found[in_rounds] = {'accuracy': 0.25 + level, 'macs_left': 0.9 - level}
        short = cifar_page.key(cifar_page.SCRATCH_SHORT, level)
        found[short] = {'accuracy': 0.5}
        found[cifar_page.key(cifar_page.SCRATCH_LONG, level)] = {'accuracy': 0.65}
    return found


def test_each_criterion_has_a_row_and_is_compared_with_training_from_scratch():
    section = cifar_page.section(FACTS, findings())

    assert 'leaves the same widths, and 70%, 50%, 30% of the MACs' in section
    row = '| l1 | 25.00 | 61.00 | 25.00 | 61.00 | 25.00 | 61.00 |'
    assert row in section
    assert '| l1, 3 rounds |  | 55.00 |  | 75.00 |  | 95.00 |' in section
    assert '`l1` in rounds is better than at once at 2 of 3 levels' in section
    assert 'fine-tuning; 60%, 40%, 20%\nof the MACs are left' in section
    assert '| scratch, 11 epochs |  | 65.00 |  | 65.00 |  | 65.00 |' in section
    assert '`fisher` at 30%, `fisher` at 50%, `fisher` at 70%' in section
    unwrapped = ' '.join(section.split())
    assert (
        'but `random` it is 5.0, 5.0, 5.0 points; to `random` it is 6.0, 6.0, 6.0'
        in unwrapped
    )
    assert 'same budget at 21 of 21 points' in unwrapped
    assert 'those with the whole budget at 3.' in unwrapped


def test_the_plot_is_a_png():
    assert cifar_page.plot(findings())[:4] == b'\x89PNG'
