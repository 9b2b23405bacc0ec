"""The change of outputs over many samples."""

from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.errors import DataError, OptionError
from tf1pruning.recovery import change
from tf1pruning.recovery.change import ChangeMeter


def measured(outputs, *batches):
    meter = ChangeMeter(outputs)
    for reference, found in batches:
        meter.update(reference, found)
    return meter.result()


def test_change_is_rms_difference_over_rms_deviation():
    # Deviations from the mean 5: -1, 1; differences: 0.5, 0.5.
    found = measured(
        ['y'],
        ([np.float32([[4.0]])], [np.float32([[4.5]])]),
        ([np.float32([[6.0]])], [np.float32([[6.5]])]),
    )
    assert found.outputs == {'y': pytest.approx(0.5)}
    assert found.agreement is None


def test_mean_answers_have_a_change_of_one():
    y = np.random.RandomState(0).randn(50, 3).astype(np.float32) + [100, 0, -100]
    mean = np.broadcast_to(y.mean(axis=0), y.shape)
    found = measured(['y'], ([y[:20]], [mean[:20]]), ([y[20:]], [mean[20:]]))
    assert found.worst == pytest.approx(1, rel=1e-6)


def test_agreement_is_that_of_the_largest_element():
    a = np.float32([[0, 1], [1, 0], [2, 3], [5, 4]])
    b = np.float32([[0, 1], [0, 1], [2, 3], [5, 4]])
    assert measured(['y'], ([a], [b])).agreement == 0.75


def test_worst_output_counts_and_integers_do_not():
    a = [np.int64([1, 2]), np.float32([[0.0], [2.0]]), np.float32([[0.0], [2.0]])]
    b = [np.int64([9, 9]), np.float32([[0.0], [2.0]]), np.float32([[1.0], [3.0]])]
    found = measured(['classes', 'y', 'z'], (a, b))
    assert found.outputs == {'y': 0.0, 'z': pytest.approx(1.0)}
    assert found.worst == pytest.approx(1.0)


def test_constant_output_that_changes_is_infinitely_far():
    found = measured(['y'], ([np.ones([2, 1])], [np.zeros([2, 1])]))
    assert found.worst == np.inf


@pytest.mark.parametrize(
    'value, message',
    [(np.int64([1]), 'no scale'), (np.float32([np.nan]), 'not finite')],
)
def test_outputs_without_a_scale_are_refused(value, message):
    with pytest.raises(DataError, match=message):
        measured(['y'], ([value], [value]))


@pytest.mark.parametrize('most', [0.0, -1.0, 1.5, float('nan')])
def test_a_largest_change_is_a_share(most):
    with pytest.raises(OptionError, match='at most 1'):
        change.check_allowed(most)
