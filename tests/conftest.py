from __future__ import annotations

import pytest

from tests import demo_runs


@pytest.fixture(scope='session')
def runs(tmp_path_factory):
    """A short study. Its tests are of one group, so that one worker makes it once."""
    return demo_runs.Runs(tmp_path_factory.mktemp('runs') / 'demo')
