from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import lenet, lenet_page, training
from benchmarks.lenet import Round
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.data.dataset import Dataset, Split

WIDTHS = (3, 7, 20)


def test_a_round_leaves_the_widths_and_trains_on(tmp_path, monkeypatch):
    generator = np.random.RandomState(0)
    images = generator.randint(0, 256, [160, 28, 28, 1]).astype(np.uint8)
    labels = generator.randint(0, 10, 160).astype(np.int32)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, labels)), 160)
    dataset = Dataset('made_up', split, split, 10, (28, 28, 1))
    monkeypatch.setattr(lenet, 'SHOWN', (WIDTHS,))
    monkeypatch.setattr(lenet, 'SAMPLES', 16)
    study = lenet.study_of(dataset, 0, 20, str(tmp_path))
    assert (study.material.split.count, study.material.dataset.test.count) == (140, 20)
    folder = study.path('baseline')
    training.train(lenet.network, study.material, study.recipe(1), folder)
    checkpoint = training.checkpoint_of(study.recipe(1), folder)

    found = lenet.narrowed(study, checkpoint, Round(WIDTHS, 2))

    assert 0 <= found['held_out'] <= 1
    assert found['accuracy'] * 160 == pytest.approx(round(found['accuracy'] * 160))
    assert found['cpu_seconds'] > 0
    assert 'accuracy' not in lenet.narrowed(study, checkpoint, Round((5, 9, 30), 1))
    name = lenet_page.key(WIDTHS)
    last = Checkpoint(str(tmp_path / name / 'training' / 'model.ckpt-2'))
    shapes = {key: tuple(shape) for key, shape in last.shapes.items()}
    assert shapes['LeNet/conv1/weights'] == (5, 5, 1, 3)
    assert shapes['LeNet/conv2/weights'] == (5, 5, 3, 7)
    assert shapes['LeNet/fc1/weights'] == (16 * 7, 20)
    again = tp.load(checkpoint, ['output'])
    kept = [group.kept_count for group in lenet.plan_to(again, (20, 7, 500)).groups]
    assert kept == [20, 7, 500]


def test_the_page_has_our_rows_beside_the_published_ones():
    facts = {
        'first': 1,
        'last': 2,
        'by': 'l1',
        'samples': 5,
        'held_out': 7,
        'epochs': 1,
        'tune_epochs': 2,
        'rate': 0.001,
    }
    seeds = [
        {
            'baseline': {'accuracy': 0.99, 'cpu_seconds': 60},
            '3-7-20': {'accuracy': accuracy, 'cpu_seconds': 120},
        }
        for accuracy in (0.97, 0.98)
    ]

    page = lenet_page.section(facts, [WIDTHS], seeds)

    assert 'seeds 1 to 2, 3 CPU' in page
    assert '| unpruned | 20-50-800-500 | 1.00 (0.00) | 2308 |' in page
    assert '| tf1pruning | 3-7-112-20 | 2.50 (0.71) | 81 |' in page
    assert '| SBP | 3-18-284-283 | 0.86 | 217 |' in page
