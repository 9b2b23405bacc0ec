"""A user's mistakes: one clear error of the right class, and nothing written."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.studies import trained
from tf1pruning import Pruning, Tf1PruningError


@pytest.fixture(scope='session')
def original(tmp_path_factory):
    return trained.train(str(tmp_path_factory.mktemp('original') / 'trained'))


@pytest.fixture
def checkpoint(original, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(os.path.dirname(original), str(tmp_path / 'trained'))
    return str(tmp_path / 'trained' / os.path.basename(original))


@pytest.fixture
def refused(tmp_path):
    """Runs a step; it must raise the error and leave every folder as it was."""

    def check(error, message, step, *arguments, **options):
        before = trained.contents(tmp_path)
        with pytest.raises(error, match=message) as caught:
            step(*arguments, **options)
        assert type(caught.value) is error
        assert isinstance(caught.value, Tf1PruningError)
        assert trained.contents(tmp_path) == before

    return check


@pytest.fixture
def new(checkpoint, tmp_path):
    """Makes a `Pruning` that would write into `tmp_path / 'out'`."""

    def make(threshold=0.6, **options):
        pruning = Pruning(checkpoint, output_dir=str(tmp_path / 'out'), **options)
        pruning.set_threshold(threshold)
        return pruning

    return make
