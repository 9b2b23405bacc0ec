"""The file by which a distillation goes on, and the name of what it belongs to."""

from __future__ import annotations

from tests import programs

CODE = """
import numpy as np
from tf1pruning.recovery import run_file
from tf1pruning.recovery.network import Answered
text = np.array(['ab' * 400, 'c'], object)
print(run_file.digest([], [Answered({'x': text, 'y': np.ones(2)}, ())], 'options'))
"""


def test_text_has_the_same_digest_in_each_process(tmp_path):
    first, second = (programs.run_code(tmp_path, CODE).stdout for _ in range(2))

    assert first == second
    assert len(first.strip()) == 64
