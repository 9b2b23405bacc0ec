from __future__ import annotations

import numpy as np
import pytest

from tests.export import made
from tf1pruning.errors import VerificationError
from tf1pruning.export import frozen


def test_it_loads_and_gives_the_answers_of_the_network(tmp_path):
    network = made.inverted_residual()
    frozen.write(str(tmp_path), network)

    found = frozen.answers(str(tmp_path), ['output'], {'input': made.IMAGE})[0]

    np.testing.assert_array_equal(found, made.answers(network))


def test_a_damaged_file_does_not_pass(tmp_path):
    (tmp_path / frozen.NAME).write_bytes(b'\x0a\xff')

    with pytest.raises(VerificationError, match=r'does not load: .* is truncated'):
        frozen.answers(str(tmp_path), ['output'], {'input': made.IMAGE})
