from __future__ import annotations

import gc

import pytest
import tensorflow.compat.v1 as tf

from tests import demo_runs, sessions
from tf1pruning import versions


@pytest.fixture(scope='session')
def runs(tmp_path_factory):
    """A short study. Its tests are of one group, so that one worker makes it once."""
    return demo_runs.Runs(tmp_path_factory.mktemp('runs') / 'demo')


def pytest_configure():
    if versions.IS_2:
        # Tests build graphs and run sessions, as programs of TensorFlow 1 do.
        tf.disable_v2_behavior()
    sessions.optimize_none()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keeps the tests of a module on one worker, where they share what they make.

    First, because pytest-xdist reads the marks in the same step, once.
    """
    for item in items:
        if item.get_closest_marker('xdist_group') is None:
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


def pytest_collection_finish():
    """Spares work that is of no use here, once everything is imported."""
    # What was imported stays to the end. The collector would look through all of it
    # again and again.
    gc.freeze()
