from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def prefix(tmp_path):
    """A checkpoint that TensorFlow wrote: `net/w`, `net/b`, `global_step`."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable('net/w', initializer=WEIGHTS)
        tf.get_variable('net/b', initializer=[1.0, 2.0, 3.0])
        tf.get_variable('global_step', initializer=np.int64(7))
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(session, str(tmp_path / 'model.ckpt-7'))


def test_a_checkpoint_is_a_mapping_in_order_of_names(prefix):
    found = Checkpoint(prefix)

    assert list(found) == ['global_step', 'net/b', 'net/w']
    assert len(found) == 3
    assert 'net/w' in found
    assert 'w' not in found
    assert found.shapes == {'global_step': (), 'net/b': (3,), 'net/w': (2, 3)}
    assert found.dtypes['global_step'] == tf.int64
    np.testing.assert_array_equal(found['net/w'], WEIGHTS)
    assert found['global_step'] == 7


def test_the_meta_graph_lies_beside_it(prefix):
    assert os.path.isfile(Checkpoint(prefix).meta_path)


def test_arrays_are_read_when_they_are_asked_for(prefix):
    found = Checkpoint(prefix)

    os.truncate(prefix + '.data-00000-of-00001', 4)

    assert found.shapes['net/w'] == (2, 3)
    with pytest.raises(CheckpointError, match="'net/w' cannot be read"):
        found['net/w']


def test_a_missing_variable_is_a_key_error_that_offers_the_nearest(prefix):
    with pytest.raises(KeyError) as caught:
        Checkpoint(prefix)['net/ww']

    assert isinstance(caught.value, CheckpointError)
    assert str(caught.value).endswith(
        "has no variable 'net/ww'. Nearest names: 'net/w', 'net/b'."
    )


def test_a_missing_checkpoint_names_its_neighbours(prefix, tmp_path):
    with pytest.raises(CheckpointError) as caught:
        Checkpoint(str(tmp_path / 'model.ckpt-8'))

    assert "model.ckpt-8.index'. Checkpoints there: 'model.ckpt-7'." in str(
        caught.value
    )


def test_a_folder_names_the_checkpoints_in_it(prefix, tmp_path):
    with pytest.raises(CheckpointError, match=r"there: 'model\.ckpt-7'"):
        Checkpoint(str(tmp_path))


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"folder '.*none' does not exist"):
        Checkpoint(str(tmp_path / 'none' / 'model.ckpt'))


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(CheckpointError, match='There is no checkpoint in'):
        Checkpoint(str(tmp_path / 'model.ckpt'))


@pytest.mark.parametrize('size', [0, 10, 100])
def test_a_truncated_index_is_an_error_that_names_the_checkpoint(prefix, size):
    os.truncate(prefix + '.index', size)

    with pytest.raises(CheckpointError, match=r"model\.ckpt-7' cannot be opened"):
        Checkpoint(prefix)


def test_a_lost_data_file_is_an_error_that_names_the_variable(prefix):
    os.remove(prefix + '.data-00000-of-00001')

    with pytest.raises(CheckpointError, match=r"net/w|model\.ckpt-7' cannot be opened"):
        Checkpoint(prefix)['net/w']


def test_a_path_that_tensorflow_takes_for_a_pattern_is_said(prefix, tmp_path):
    folder = tmp_path / 'run[1]'
    shutil.copytree(os.path.dirname(prefix), str(folder))

    with pytest.raises(CheckpointError, match='reads the path as a pattern'):
        Checkpoint(str(folder / os.path.basename(prefix)))


def test_a_flipped_bit_is_noticed(prefix):
    path = prefix + '.data-00000-of-00001'
    with open(path, 'r+b') as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))

    found = Checkpoint(prefix)

    with pytest.raises(CheckpointError, match='truncated or damaged'):
        [found[name] for name in found]


def test_latest_is_the_newest_in_the_folder(prefix, tmp_path):
    assert checkpoint_lib.latest(str(tmp_path)) == prefix


def test_latest_of_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match='Train into this folder first'):
        checkpoint_lib.latest(str(tmp_path))
