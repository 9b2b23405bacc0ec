"""docs/criteria.md names every criterion, and its examples are those that run here."""

from __future__ import annotations

import ast
import pathlib
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.scoring import dense
from tests.workflow import trained
from tf1pruning import Pruning
from tf1pruning.choosing.choice import Choice, Limits, Target
from tf1pruning.choosing.scores import Combination
from tf1pruning.criteria import registry
from tf1pruning.graph import meta_graph
from tf1pruning.scoring import batches, result
from tf1pruning.workflow import data_scores, loading, means, outputs, planning, scoped

TEXT = (pathlib.Path(__file__).parent.parent / 'docs' / 'criteria.md').read_text(
    'utf-8'
)


def test_every_criterion_is_listed():
    rows = [line for line in TEXT.splitlines() if line.startswith('| `')]
    listed = {name for row in rows for name in re.findall('`([a-z0-9_]+)`', row)}

    assert listed == {*registry.known(), *registry.known_data()}


@pytest.mark.parametrize('block', re.findall('```python\n(.*?)```', TEXT, re.DOTALL))
def test_the_imports_and_names_of_the_examples_exist(block):
    tree = ast.parse(block)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    imported = [a for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names]

    assert {alias.name for alias in imported} <= used
    assert {alias.name for alias in imported} <= set(globals())


def register_variance(monkeypatch):
    monkeypatch.setattr(registry, '_DATA', dict(registry._DATA))

    @registry.register_data('variance', 'activations', derivative='')
    def variance(x):
        return tf.math.reduce_variance(x, axis=[0, 1])


def test_a_data_criterion_of_ones_own_is_scored(monkeypatch):
    register_variance(monkeypatch)

    scores = dense.score(['variance']).scores
    expected = dense.average(lambda part: dense.gradients(part).hidden.var(axis=0))
    np.testing.assert_allclose(scores['variance']['a'], [-expected], rtol=1e-4)


def input_fn():
    image = np.random.RandomState(0).rand(4, 8, 8, 3).astype(np.float32)
    return tf.data.Dataset.from_tensors((image, np.arange(4, dtype=np.int32)))


def test_the_way_from_python_ends_in_a_checkpoint(tmp_path, monkeypatch):
    register_variance(monkeypatch)
    prefix = trained.train(str(tmp_path / 'run'))

    source = loading.load_source(prefix, ['output'])
    groups = scoped.choose(source, [''], 'all').groups.values()
    choice = Choice(target=Target('macs', 0.8), limits=Limits(4, max_share=0.9))
    graph = meta_graph.read_meta_graph(prefix + '.meta')
    model = data_scores.trained(source, graph)
    data = batches.of_input_fn(input_fn, ['input', 'input_1'], count=100)
    scores = data_scores.score(model, groups, data, ['fisher', 'variance'])
    combination = Combination('mean', 'l2')
    scorer = data_scores.scorer(source, scores, 'fisher', combination)
    plan = planning.plan_by_choice(source, groups, choice, scorer, 'block')
    source, without_bias = means.with_means(source, plan, scores.means)
    target = str(tmp_path / 'pruned' / 'model.ckpt')
    outputs.write_zeros(target, source, plan, prefix + '.meta')

    assert without_bias == ()
    assert plan.removed > 0
    pruned = loading.load_source(target, ['output'])
    cut = plan.zeroed_cuts[0]
    values = np.moveaxis(pruned.variables[cut.variable], cut.axis, 0)
    assert not values[list(cut.indices)].any()
    path = str(tmp_path / 'scores.npz')
    result.save(scores, path)
    for criterion in ('fisher', 'variance'):
        steps = str(tmp_path / criterion)
        pruning = Pruning(prefix, criterion=criterion, scores=path, output_dir=steps)
        pruning.set_choice(Choice(ratio=0.5))
        pruning.pruning_process()
        assert pruning.plan.removed == 12
