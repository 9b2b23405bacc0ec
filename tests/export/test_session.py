from __future__ import annotations

import os

import numpy as np
import pytest

from tests.export import made
from tf1pruning.errors import VerificationError
from tf1pruning.export.checkpoint import CheckpointFormat
from tf1pruning.export.saved_model import SavedModelFormat
from tf1pruning.surgery import verify


def test_channels_first_are_run_without_a_gpu(tmp_path):
    folder, network = str(tmp_path), made.channels_first()
    feeds = {'input': made.IMAGE}

    expected = verify.run(network.frozen, ['output'], feeds)
    for form in (CheckpointFormat(), SavedModelFormat()):
        form.write(folder, network, os.path.join(folder, form.file))
        found = form.answers(folder, ['output'], feeds)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_does_not_run_says_why_without_a_stack(tmp_path):
    SavedModelFormat().write(str(tmp_path), made.inverted_residual(), '')

    with pytest.raises(VerificationError) as caught:
        feeds = {'input': made.IMAGE[..., :2]}
        SavedModelFormat().answers(str(tmp_path), ['output'], feeds)
    assert '\n' not in str(caught.value)
    assert 'Cannot feed value of shape' in str(caught.value)
