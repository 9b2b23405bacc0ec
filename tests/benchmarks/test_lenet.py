from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import lenet, lenet_page, training
from benchmarks.lenet import Round, Study
from benchmarks.training import Material
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.data.dataset import Dataset, Split

WIDTHS = (3, 7, 20)


def test_a_round_leaves_the_widths_and_trains_on(tmp_path):
    generator = np.random.RandomState(0)
    images = generator.randint(0, 256, [32, 28, 28, 1]).astype(np.uint8)
    labels = generator.randint(0, 10, 32).astype(np.int32)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, labels)), 32)
    material = Material(Dataset('made_up', split, split, 10, (28, 28, 1)), split, 0)
    study = Study(material, 1, 16, str(tmp_path))
    folder = study.path('baseline')
    training.train(lenet.network, material, study.recipe(1), folder)
    checkpoint = training.checkpoint_of(study.recipe(1), folder)

    found = lenet.narrowed(study, checkpoint, Round(WIDTHS, 2))

    assert 0 <= found['accuracy'] <= 1
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
        'minutes': 9.0,
        'by': 'l1',
        'samples': 5,
        'epochs': 1,
        'tune_epochs': 2,
        'rate': 0.001,
    }
    seeds = [
        {'baseline': {'accuracy': 0.99}, '3-7-20': {'accuracy': accuracy}}
        for accuracy in (0.97, 0.98)
    ]

    page = lenet_page.section(facts, [WIDTHS], seeds)

    assert '| unpruned | 20-50-800-500 | 1.00 (0.00) | 2308 |' in page
    assert '| tf1pruning | 3-7-112-20 | 2.50 (0.71) | 81 |' in page
    assert '| SBP | 3-18-284-283 | 0.86 | 217 |' in page
