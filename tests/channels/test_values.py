from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.channels import values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.values import Activation


def test_labels_change_along_the_axes_where_they_are_long():
    x = Activation((None, 8, 8, 3), np.array([[[[1, 2, 3]]]]))

    assert [x.varies(axis) for axis in range(4)] == [False, False, False, True]
    assert x.rank == 4


@pytest.mark.parametrize('labels', [np.zeros([1, 3]), np.zeros([1, 1, 1, 4])])
def test_labels_that_do_not_fit_the_tensor_are_refused(labels):
    with pytest.raises(Unsupported, match='in a tensor'):
        Activation((None, 8, 8, 3), labels)


def test_a_fixed_tensor_has_no_channels():
    assert values.fixed((None, 8)).labels.tolist() == [[0]]
    assert values.fixed(()).labels.tolist() == 0
