"""A trained checkpoint, and the whole way from it, made once for all tests."""

from __future__ import annotations

import os

import pytest

from tests.facade.steps import Finished, retrained, soft_pruned, stripped
from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tf1pruning import (
    Pruning,
)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A trained checkpoint; no test may change its folder."""
    return trained.train(str(tmp_path_factory.mktemp('source') / 'trained'))


@pytest.fixture
def new(checkpoint, tmp_path):
    """Makes a `Pruning` that writes into `tmp_path / 'out'`."""

    def make(**options):
        return Pruning(checkpoint, output_dir=str(tmp_path / 'out'), **options)

    return make


@pytest.fixture(scope='module')
def finished(checkpoint, tmp_path_factory):
    """The whole way once; the tests look at what it left."""
    folder = tmp_path_factory.mktemp('finished')
    source = os.path.dirname(checkpoint)
    before = trained.contents(source)
    pruning = Pruning(checkpoint, [GATE, BLOCK + '/'], output_dir=str(folder / 'out'))
    retrained(soft_pruned(pruning), folder / 'retrained')
    pruning.get_pruning_summary(accuracy=0.75)
    stripped(pruning)
    return Finished(pruning, str(folder / 'out'), before, trained.contents(source))
