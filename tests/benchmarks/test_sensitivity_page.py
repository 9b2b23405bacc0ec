from __future__ import annotations

from benchmarks import sensitivity_page as page


def curves():
    """Means are better in group a and worse in group b; `random` is the worst."""
    accuracies = {('a', False): 0.5, ('a', True): 0.75, ('b', False): 0.25}
    points = [
        {
            'group': group,
            'criterion': criterion,
            'means': means,
            'ratio': ratio,
            'accuracy': accuracies.get((group, means), 0.125)
            / (2 if criterion == 'random' else 1),
        }
        for group in ('a', 'b')
        for criterion in page.CRITERIA
        for means in (False, True)
        for ratio in page.RATIOS
    ]
    return {'unpruned': {'accuracy': 0.99}, 'points': points}


def test_zeros_and_means_stand_side_by_side():
    found = page.section({'seed': 1, 'minutes': 2.25, 'images': 539}, curves())

    assert ': 64 points of' in found
    assert 'it is 99.00% without pruning' in found
    cell = '37.5 / 43.8'
    assert f'| mean_square | {cell} | {cell} | {cell} | {cell} |' in found
    assert '| b | 12.5 / 6.2 | 25.0 / 12.5 | 25.0 / 12.5 | 25.0 / 12.5 |' in found
    assert 'at 16 of 32 points and worse at 16' in found
    assert 'all points: `mean_square` with means' in found
    assert '8 points: `mean_square` 8, `taylor_abs_rs` 8, `taylor_abs_mrs` 8.' in found
    assert 'with zeros: `b`' in found
