"""docs/criteria.md names every criterion, and its examples run from top to bottom."""

from __future__ import annotations

import pathlib
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests import networks, programs
from tests.scoring import dense
from tf1pruning.criteria import register_data, registry

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = (ROOT / 'docs' / 'criteria.md').read_text('utf-8')
EXAMPLES = re.findall('```python\n(.*?)```', TEXT, re.S)
PRELUDE = """
import numpy as np
import tensorflow.compat.v1 as tf

def input_fn():
    image = np.random.RandomState(0).rand(4, 8, 8, 3).astype(np.float32)
    return tf.data.Dataset.from_tensors((image, np.arange(4, dtype=np.int32)))
"""


def test_every_criterion_is_listed():
    rows = [line for line in TEXT.splitlines() if line.startswith('| `')]
    listed = {name for row in rows for name in re.findall('`([a-z0-9_]+)`', row)}

    assert listed == {*registry.known(), *registry.known_data()}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where the examples ran: beside a checkpoint with the graph of its training."""
    folder = tmp_path_factory.mktemp('criteria')
    graph = networks.inverted_residual_net(
        is_training=True, optimizer='momentum', pipeline=True
    )
    networks.save(graph, str(folder / 'model.ckpt-1000'), seed=4)
    script = folder / 'examples.py'
    script.write_text(PRELUDE + ''.join(EXAMPLES))
    done = programs.run(script, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_way_from_python_ends_in_a_checkpoint(folder):
    original = tp.load(str(folder / 'model.ckpt-1000'), ['output'])
    pruned = tp.load(str(folder / 'pruned' / 'model.ckpt'), ['output'])

    small = tp.strip(pruned)
    assert small.after.macs <= 0.5 * small.before.macs
    assert pruned.variables.shapes == original.variables.shapes


def test_the_steps_of_pruning_take_the_scores(folder):
    path = folder / 'steps' / 'Pruning_Dict' / 'Pruned_Filters.json'

    assert tp.load_plan(str(path)).removed_count == 12


def test_a_data_criterion_of_ones_own_is_scored(monkeypatch):
    monkeypatch.setattr(registry, '_DATA', dict(registry._DATA))

    @register_data('variance', 'activations', derivative='')
    def variance(x):
        return tf.math.reduce_variance(x, axis=[0, 1])

    scores = dense.score(['variance']).scores
    expected = dense.average(lambda part: dense.gradients(part).hidden.var(axis=0))
    np.testing.assert_allclose(scores['variance']['a'], [-expected], rtol=1e-4)
