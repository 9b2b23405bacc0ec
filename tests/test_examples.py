"""The scripts of examples/, each run from its first to its last line."""

from __future__ import annotations

import pathlib
import re
import runpy

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.criteria import registry

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / 'examples'
STRIPPED = r'^Stripped 24 of 48 channels; largest difference .* of their scale\.$'
# Script -> what it prints.
SAYS = {
    '01_analyze': r'^48 of 53 channels may be cut .*\n.*\nlogits stays whole: is a',
    '02_prune_and_strip': STRIPPED,
    '03_training_loop': r'threshold 0.5: 0.000 came back\n.*\nstripped: model',
    '04_hook': STRIPPED,
    '05_own_criterion': r'^variance: 24 of 48 channels go$',
    '06_int8': r'^tflite( +\S+){3} +\S+/int8/stripped.tflite$',
    '07_distill': r'^Distilled: best .*\nHeld-out samples: change of the outputs 0',
}


@pytest.fixture
def own_registry(monkeypatch):
    """Criteria that a script registers are forgotten behind it."""
    for table in ('_FACTORIES', '_DATA'):
        monkeypatch.setattr(registry, table, dict(getattr(registry, table)))


@pytest.mark.parametrize('path', sorted(EXAMPLES.glob('*.py')), ids=lambda p: p.stem)
def test_an_example_runs_and_says_what_came_of_it(path, own_registry, capsys):
    verbosity = tf.logging.get_verbosity()
    try:
        runpy.run_path(str(path), run_name='__main__')
    finally:
        tf.logging.set_verbosity(verbosity)

    assert re.search(SAYS[path.stem], capsys.readouterr().out, re.M)
