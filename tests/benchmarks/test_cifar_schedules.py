from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from benchmarks import cifar_schedules, training
from benchmarks.cifar_schedules import WAYS, Start
from benchmarks.training import Material, Recipe
from demo.networks import mlp
from tests.demo.datasets import files
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.data.dataset import Dataset, Split

RECIPE = Recipe(6, 'momentum', 0.01)


def network(images, is_training):
    del is_training
    return mlp.build(images, mlp.Config(classes=2, hidden=(8,), biases=True))


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    images = np.arange(16 * 4, dtype=np.uint8).reshape(16, 2, 2, 1)
    labels = np.arange(16, dtype=np.int32) % 2
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, labels)), 16)
    material = Material(Dataset('made_up', split, split, 2, (2, 2, 1)), split, seed=0)
    folder = str(tmp_path_factory.mktemp('start'))
    training.train(network, material, RECIPE, folder)
    checkpoint = training.checkpoint_of(RECIPE, folder)
    return Start(network, checkpoint, material, RECIPE)


@pytest.mark.parametrize(('way', 'last_step'), [('cubic', 6), ('linear_restarts', 2)])
def test_rounds_end_at_the_share_and_share_the_steps(start, tmp_path, way, last_step):
    found = cifar_schedules.in_rounds(start, WAYS[way], 0.75, str(tmp_path / 'a'))

    # 4 pixels to 2 channels, and these to 2 classes.
    assert found['macs'] == 12
    assert 0 <= found['accuracy'] <= 1
    folder = tmp_path / 'a' / 'round_0003' / 'trained'
    last = Checkpoint(tf.train.latest_checkpoint(str(folder)))
    assert last['global_step'] == last_step
    assert np.count_nonzero(last['MLP/fc1/weights'].any(axis=0)) == 2


def test_a_turned_split_goes_on_at_an_image_and_around_the_end():
    labels = np.arange(5, dtype=np.int32)
    images = np.zeros([5, 1, 1, 1], np.uint8)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, labels)), 5)

    assert files.read(cifar_schedules.turned(split, 8))[1] == [3, 4, 0, 1, 2]
