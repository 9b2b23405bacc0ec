from __future__ import annotations

import numpy as np
import pytest

from tests.export import made
from tf1pruning.errors import VerificationError
from tf1pruning.export.frozen import FrozenFormat


def test_it_loads_and_gives_the_answers_of_the_network(tmp_path):
    network = made.inverted_residual()
    FrozenFormat().write(str(tmp_path), network, '')

    found = FrozenFormat().answers(str(tmp_path), ['output'], {'input': made.IMAGE})[0]

    np.testing.assert_allclose(found, made.answers(network), rtol=1e-6, atol=1e-7)


def test_a_damaged_file_does_not_pass(tmp_path):
    (tmp_path / FrozenFormat.file).write_bytes(b'\x0a\xff')

    with pytest.raises(VerificationError, match=r'does not load: .* is truncated'):
        FrozenFormat().answers(str(tmp_path), ['output'], {'input': made.IMAGE})
