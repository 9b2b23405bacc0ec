from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from benchmarks import training
from benchmarks.training import Material, Recipe
from demo.networks import mlp
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.models import reading
from tf1pruning.steps import data_scores
from tf1pruning.studies.probing import Probe

CONFIG = mlp.Config(classes=2, hidden=(8,), biases=True)
RECIPE = Recipe(3, 'adam', 0.01, l1=1e-4, lasso=1e-4, biases=False)


def network(images, is_training):
    del is_training
    return mlp.build(images, CONFIG)


@pytest.fixture(scope='module')
def material():
    """Black images of class 0 and white ones of class 1."""
    images = np.zeros([64, 2, 2, 1], np.uint8)
    images[1::2] = 255
    labels = np.arange(64, dtype=np.int32) % 2
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, labels)), 64)
    return Material(Dataset('made_up', split, split, 2, (2, 2, 1)), split, seed=0)


@pytest.fixture(scope='module')
def trained(material, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('trained'))
    training.train(network, material, RECIPE, folder)
    checkpoint = training.checkpoint_of(RECIPE, folder)
    return data_scores.with_loss(reading.load(checkpoint, ('output',)))


def test_biases_stay_at_zero_if_the_recipe_says_so(trained):
    variables = trained.model.variables

    assert variables['MLP/fc1/biases'].tolist() == [0.0] * 8
    assert variables['MLP/Logits/biases'].tolist() == [0.0] * 2
    assert variables['MLP/fc1/weights'].any()


def test_a_stripped_network_trains_on_with_its_biases(trained, material, tmp_path):
    batches = training.batches(material.dataset, material.split, trained)
    probe = Probe(trained, batches)
    groups = [g for g in trained.model.groups if not g.frozen]
    plan = probe.plan(groups, 0.5, training.scorer(trained, 'l2'))
    soft = probe.pruned_model(plan)

    stripped = training.strip(soft, plan, str(tmp_path))
    recipe = Recipe(20, 'adam', 0.05)
    folder = str(tmp_path / 'training')
    accuracy = training.train(
        stripped.network, material, recipe, folder, stripped.checkpoint
    )

    found = Checkpoint(training.checkpoint_of(recipe, folder))
    assert found.shapes['MLP/fc1/weights'] == (4, 4)
    assert found['MLP/Logits/biases'].all()
    assert accuracy == 1.0
