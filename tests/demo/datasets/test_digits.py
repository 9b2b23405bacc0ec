from __future__ import annotations

import sys

import numpy as np
import pytest

from demo.datasets import pipelines, registry
from tests.demo.datasets import files
from tests.demo.datasets.files import batches_of
from tf1pruning.errors import OptionError, Tf1PruningError


def load(test_share=0.3, seed=0):
    return registry.load('digits', test_share=test_share, seed=seed)


def test_the_split_has_every_image_once():
    dataset = load()

    assert (dataset.train.count, dataset.test.count) == (1258, 539)
    images = files.read(dataset.train)[0] + files.read(dataset.test)[0]
    assert {image.shape for image in images} == {(8, 8, 1)}
    assert sum(int(image.sum()) for image in images) == 561718


def test_the_split_depends_on_the_seed_only():
    first, again, other = (files.read(load(seed=seed).test) for seed in (0, 0, 1))

    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert first[1] != other[1]


def test_the_first_test_labels_stay_the_same_between_releases():
    assert files.read(load().test)[1][:8] == [9, 9, 7, 1, 8, 5, 0, 8]


def test_the_share_of_test_images_is_as_asked_for():
    dataset = load(test_share=0.1)

    assert (dataset.train.count, dataset.test.count) == (1617, 180)


def test_a_split_without_images_is_refused():
    with pytest.raises(OptionError, match=r'0\.0001 is 0 of 1797 digits'):
        load(test_share=0.0001)


def test_missing_scikit_learn_names_the_requirements_file(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn', None)

    with pytest.raises(Tf1PruningError, match=r'-r requirements-demo\.txt'):
        load()


def test_networks_get_16x16_pixels_between_minus_1_and_1():
    ((images, labels),) = batches_of(pipelines.eval_input_fn(load()))

    assert images.shape == (256, 16, 16, 1)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (-1.0, 1.0)
    assert list(labels[:4]) == [9, 9, 7, 1]


def test_the_pixels_of_a_training_stay_the_same_between_releases():
    # The accuracies in README.md rest on them.
    input_fn = pipelines.train_input_fn(load(seed=1), batch_size=4, seed=1)

    (first, labels), (second, _) = batches_of(input_fn, 2)

    assert list(labels) == [6, 7, 7, 0]
    assert (float(first.sum()), float(second.sum())) == (-440.3125, -362.25)
