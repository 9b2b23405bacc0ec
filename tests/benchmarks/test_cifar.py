from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks import cifar
from tests.demo.datasets import files
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.data.dataset import Dataset, Split


def test_a_pixel_of_a_halved_image_is_the_mean_of_four():
    image = np.array([[0, 4, 1, 1], [8, 8, 1, 1]], np.uint8).reshape(1, 2, 4, 1)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((image, [7])), 1)

    found = cifar.halved(Dataset('made_up', split, split, 10, (2, 4, 1)))

    assert found.image == (1, 2, 1)
    images, labels = files.read(found.train)
    assert images[0].dtype == np.uint8
    assert images[0].ravel().tolist() == [5, 1]
    assert labels == [7]


def test_an_untrained_network_has_the_shapes_of_the_trained_one(tmp_path):
    trained = {
        'a/weights': np.full([3, 3, 8, 64], 7.0, np.float32),
        'a/BatchNorm/gamma': np.full([64], 7.0, np.float32),
        'a/BatchNorm/moving_variance': np.full([64], 7.0, np.float32),
        'a/BatchNorm/moving_mean': np.full([64], 7.0, np.float32),
    }
    source = writer.write_checkpoint(str(tmp_path / 'a'), ArraysInMemory(trained))

    found = Checkpoint(cifar.untrained(source, str(tmp_path / 'b'), seed=0))

    assert found.shapes == {name: array.shape for name, array in trained.items()}
    assert found['a/BatchNorm/gamma'].tolist() == [1.0] * 64
    assert found['a/BatchNorm/moving_variance'].tolist() == [1.0] * 64
    assert found['a/BatchNorm/moving_mean'].tolist() == [0.0] * 64
    # Variance 2 / fan-in.
    np.testing.assert_allclose(found['a/weights'].std(), (2 / 72) ** 0.5, rtol=0.05)
