from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import cifar_tuning, training
from benchmarks.cifar_tuning import Study
from benchmarks.cifar_tuning_page import REPAIRED, ZEROS
from demo.networks import mlp
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.data.dataset import Dataset, Split


def network(images, is_training):
    del is_training
    return mlp.build(images, mlp.Config(classes=2, hidden=(8,), biases=True))


def test_both_starts_are_stripped_and_tuned_alike(tmp_path):
    generator = np.random.RandomState(0)
    images = generator.randint(0, 256, [160, 2, 2, 1]).astype(np.uint8)
    labels = (images.mean(axis=(1, 2, 3)) > 127).astype(np.int32)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, labels)), 160)
    dataset = Dataset('made_up', split, split, 2, (2, 2, 1))
    study = Study(network, dataset, split, split, 0, 4, 2, 96, str(tmp_path))
    training.train(network, study.material, study.fresh, study.path('baseline'))
    checkpoint = training.checkpoint_of(study.fresh, study.path('baseline'))
    model = tp.load(checkpoint, ['output'])

    zeros, repaired = (
        cifar_tuning.pruned(study, model, start, 0.5) for start in (ZEROS, REPAIRED)
    )

    assert zeros['macs_left'] == repaired['macs_left'] <= 0.5
    kernels = [
        Checkpoint(str(tmp_path / f'{start} 0.5' / 'stripped.ckpt'))[
            'MLP/Logits/weights'
        ]
        for start in (ZEROS, REPAIRED)
    ]
    assert kernels[0].shape == kernels[1].shape == (4, 2)
    assert not np.array_equal(*kernels)
    found = cifar_tuning.tuned(study, REPAIRED, 0.5, 0.01)
    assert set(found) == {'held_out', 'accuracy'}
    assert 0 <= found['accuracy'] <= 1
    last = Checkpoint(str(tmp_path / 'repaired 0.5 0.01' / 'model.ckpt-2'))
    assert last.shapes['MLP/Logits/weights'] == (4, 2)
    with pytest.raises(tp.PlanError, match='takes 100% of the MACs'):
        cifar_tuning.plan_at(model, 1.0)
