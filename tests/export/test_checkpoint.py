from __future__ import annotations

import os

import numpy as np
import pytest

from tests import programs
from tests.export import made
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import VerificationError
from tf1pruning.export.checkpoint import CheckpointFormat

# Without a line of tf1pruning: what a user's own script does.
TRAINS_ON = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf

prefix = sys.argv[1]
saver = tf.train.import_meta_graph(prefix + '.meta')
loss = tf.reduce_mean(tf.square(tf.get_default_graph().get_tensor_by_name('output:0')))
train = tf.train.AdamOptimizer(0.01).minimize(loss)
feeds = {'input:0': np.ones([2, 8, 8, 3])}
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    saver.restore(session, prefix)
    first = session.run(loss, feeds)
    for _ in range(5):
        session.run(train, feeds)
    assert session.run(loss, feeds) < first
"""


@pytest.fixture
def folder(tmp_path):
    prefix = str(tmp_path / CheckpointFormat.file)
    CheckpointFormat().write(str(tmp_path), made.inverted_residual(), prefix)
    return str(tmp_path)


def test_it_loads_and_gives_the_answers_of_the_network(folder):
    found = CheckpointFormat().answers(folder, ['output'], {'input': made.IMAGE})[0]

    expected = made.answers(made.inverted_residual())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_it_holds_exactly_the_variables_of_the_graph(folder):
    found = Checkpoint(os.path.join(folder, CheckpointFormat.file))

    assert set(found) == {v.key for v in made.inverted_residual().graph.variables}
    assert not any('Adam' in name or 'step' in name for name in found)


def test_another_process_trains_it_further(folder, tmp_path):
    prefix = os.path.join(folder, CheckpointFormat.file)

    done = programs.run_code(tmp_path, TRAINS_ON, prefix)

    assert done.returncode == 0, done.stderr


def test_a_damaged_file_does_not_pass(folder):
    data = f'{CheckpointFormat.file}.data-00000-of-00001'
    with open(os.path.join(folder, data), 'r+b') as file:
        file.truncate(10)

    with pytest.raises(VerificationError, match='does not load and run'):
        CheckpointFormat().answers(folder, ['output'], {'input': made.IMAGE})
