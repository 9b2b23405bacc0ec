"""The criterion `reconstruction` from readers that are given."""

from __future__ import annotations

import numpy as np

from tf1pruning.algebra.elimination import Reader, eliminate
from tf1pruning.criteria import registry

GENERATOR = np.random.RandomState(0)


def reader(width=6, weight=1.0):
    x = GENERATOR.normal(size=[40, width]) @ GENERATOR.normal(size=[width, width])
    kernel = GENERATOR.normal(size=[width, 3])
    return Reader(x.T @ x / 40, kernel, np.arange(width)[:, np.newaxis], weight)


def scores(*readers):
    criterion = registry.find_data('reconstruction')
    return criterion.finish(criterion.statistic(readers))


def test_channels_are_ranked_in_the_order_of_their_removal():
    readers = [reader(12), reader(12)]

    found = scores(*readers)

    assert np.argsort(-found).tolist() == eliminate(readers).order.tolist()
    assert len(set(found)) == 12


def test_a_score_is_what_the_removal_adds_to_the_error():
    one = reader()
    order, losses = eliminate([one])

    rises = np.diff(losses, prepend=0)
    expected = -np.maximum.accumulate(rises)

    np.testing.assert_allclose(scores(one)[order], expected, rtol=1e-4)
    np.testing.assert_allclose(
        scores(one._replace(weight=3.0))[order], 3 * expected, 1e-4
    )
