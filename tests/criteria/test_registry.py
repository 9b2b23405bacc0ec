"""Criteria are found by name; a user's own is one decorated function."""

from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError

KERNEL = np.array([[1.0, 0.0, -2.0], [3.0, 0.5, 2.0]])


@pytest.mark.parametrize(
    ('name', 'order'),
    [
        ('l1', [1, 0, 2]),
        ('l2', [1, 2, 0]),
        ('mean_square', [1, 2, 0]),
        ('lamp', [1, 2, 0]),
        ('geometric_median', [1, 2, 0]),
        ('sparsity', [1, 0, 2]),
    ],
)
def test_the_most_redundant_filter_scores_highest(name, order):
    scores = registry.find(name).score(KERNEL, 1)

    assert np.argsort(-scores, kind='stable').tolist() == order


def test_small_batch_norm_scales_go_first():
    found = registry.find('bn_scale')

    assert found.of_scales
    assert found.score(np.array([0.5, -2.0, 0.1]), 0).tolist() == [-0.5, -2.0, -0.1]


def test_random_scores_follow_the_seed():
    first, same, other = (registry.find('random', seed) for seed in (1, 1, 2))

    scores = first.score(KERNEL, 1)

    assert scores.shape == (3,)
    np.testing.assert_array_equal(same.score(KERNEL, 1), scores)
    assert (other.score(KERNEL, 1) != scores).all()


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(
        OptionError, match=r"'sparsty'.*Nearest names: 'sparsity'.*'l1'"
    ):
        registry.find('sparsty')


def test_a_taken_name_is_refused():
    with pytest.raises(ValueError, match="a criterion 'l1' already"):
        registry.register('l1')(np.sum)


@pytest.mark.parametrize(
    ('looks_at', 'derivative', 'message'),
    [
        ('activation', 'gradient', "looks_at 'activation'; expected one of 'activatio"),
        ('weights', 'grad', "derivative 'grad'; expected one of '', 'gradient', 'hess"),
    ],
)
def test_a_criterion_on_data_looks_at_what_there_is(looks_at, derivative, message):
    with pytest.raises(OptionError, match=f"'mine' has {message}"):
        registry.register_data('mine', looks_at, derivative=derivative)(np.sum)
    assert 'mine' not in registry.known_data()


def test_a_criterion_of_ones_own_is_one_decorated_function(monkeypatch):
    monkeypatch.setattr(registry, '_FACTORIES', {})

    @registry.register('largest_weight')
    def largest_weight(kernel, axis):
        others = tuple(a for a in range(kernel.ndim) if a != axis)
        return -np.abs(kernel).max(axis=others)

    found = registry.find('largest_weight')
    assert found.score(KERNEL, 1).tolist() == [-3.0, -0.5, -2.0]
    assert registry.known() == ['largest_weight']


def test_only_clustering_has_to_know_how_many_stay():
    assert [n for n in registry.known() if registry.find(n).counted] == ['kmeans']


def test_only_shares_have_a_natural_threshold():
    assert [n for n in registry.known() if registry.find(n).is_share] == ['sparsity']


def test_readers_have_no_derivative():
    with pytest.raises(OptionError, match=r"looks at readers.*expected derivative=''"):
        registry.register_data('mine', registry.READERS)(np.sum)
