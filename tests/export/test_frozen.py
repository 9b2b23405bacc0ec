from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.export import made
from tf1pruning.errors import VerificationError
from tf1pruning.export.frozen import FrozenFormat
from tf1pruning.surgery import verify


def test_it_loads_and_gives_the_answers_of_the_network(tmp_path):
    network = made.inverted_residual()
    FrozenFormat().write(str(tmp_path), network, '')

    found = FrozenFormat().answers(str(tmp_path), ['output'], {'input': made.IMAGE})[0]

    np.testing.assert_allclose(found, made.answers(network), rtol=1e-6, atol=1e-7)


def test_a_damaged_file_does_not_pass(tmp_path):
    (tmp_path / FrozenFormat.file).write_bytes(b'\x0a\xff')

    with pytest.raises(VerificationError, match=r'does not load: .* is truncated'):
        FrozenFormat().answers(str(tmp_path), ['output'], {'input': made.IMAGE})


def test_it_holds_the_graph_that_ran_and_no_other(tmp_path):
    network = made.inverted_residual()
    ran = verify.digest(network.frozen)
    FrozenFormat().write(str(tmp_path), network, '')
    other = tf.GraphDef.FromString(network.frozen.SerializeToString())
    other.node[-1].name += '_1'

    assert FrozenFormat().holds(str(tmp_path), ran)
    assert not FrozenFormat().holds(str(tmp_path), verify.digest(other))

    (tmp_path / FrozenFormat.file).write_bytes(b'\x0a\xff')
    with pytest.raises(VerificationError, match='does not load'):
        FrozenFormat().holds(str(tmp_path), ran)
