"""Batches are run from the last cut, and again from before it where weights changed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.recovery import teaching
from tf1pruning.errors import DataError
from tf1pruning.names import TensorRef
from tf1pruning.recovery.passes import Passes
from tf1pruning.recovery.store import Disk, Store
from tf1pruning.recovery.twins import Twins
from tf1pruning.recovery.unpruned import Seen
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT

HIDDEN, OUTPUT = TensorRef('Relu', 0), TensorRef('output', 0)


@pytest.fixture
def twins():
    return Twins(teaching.graph_of(0), {'a': np.zeros([3, 4], np.float32)})


@pytest.fixture
def store():
    found = Store(Disk(1 << 20))
    yield found
    found.close()


def passes_over(twins, samples, store):
    with teaching.teacher() as teacher:
        return Passes(teacher.graph, twins, samples, STRICT, store)


def test_what_depends_on_a_changed_weight_is_computed_again(twins, store):
    samples = Seen(teaching.batches(8), teaching.batches(4, seed=1))
    passes = passes_over(twins, samples, store)
    hidden, output = twins.twin(HIDDEN), twins.twin(OUTPUT)
    old = [step.values[output] for step in passes.run([output], alive=[hidden])]
    assert str(hidden) in store

    twins.set_constants({'a': np.ones([3, 4], np.float32)})
    stale = [step.values[output] for step in passes.run([output])]
    passes.forget(twins.behind('a'))
    new = [step.values[output] for step in passes.run([output])]

    np.testing.assert_array_equal(stale, old)
    assert np.abs(np.subtract(new, old)).max() > 0.1
    assert str(hidden) not in store


def test_one_infinite_value_in_a_sample_is_refused(twins, store):
    rows = teaching.inputs(8)
    rows[3, 1] = np.inf
    samples = Seen(Batches.of_arrays({'input': rows}, 4), teaching.batches(4))

    with pytest.raises(DataError, match=r"'input:0' have NaN or infinite"):
        passes_over(twins, samples, store)
