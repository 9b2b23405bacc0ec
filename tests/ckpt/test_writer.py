from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks, programs
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import OutputError

NUMBERS = [-3, 0, 1, 100]


def arrays_of_all_types():
    kinds = ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'c8', 'c16')
    arrays = {f'numbers/{kind}': np.array(NUMBERS).astype(kind) for kind in kinds}
    arrays['flag'] = np.array([True, False])
    arrays['global_step'] = np.array(2**40 + 1, np.int64)
    arrays['scalar'] = np.array(0.1, np.float32)
    arrays['empty'] = np.zeros([0, 3], np.float32)
    arrays['special'] = np.array([np.nan, np.inf, -0.0, 1e-45], np.float32)
    arrays['turned'] = np.arange(6, dtype=np.float32).reshape(2, 3).T
    arrays['text'] = np.array([b'one', b'', b'\x00\xff'], dtype=object)
    return arrays


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tolist() == array.tolist() or (
            found[name].tobytes() == array.tobytes()
        )


def test_every_type_and_shape_comes_back_bit_by_bit(tmp_path):
    prefix = str(tmp_path / 'model.ckpt')
    arrays = arrays_of_all_types()

    returned = writer.write_checkpoint(prefix, ArraysInMemory(arrays))

    assert returned == prefix
    assert_same(Checkpoint(prefix), arrays)


def trained_state(folder, name):
    with open(os.path.join(str(folder), 'checkpoint'), 'w', encoding='utf-8') as file:
        file.write(f'model_checkpoint_path: "{name}"\n')
        file.write(f'all_model_checkpoint_paths: "{name}"\n')


def test_the_state_of_a_training_changes_only_when_told_so(tmp_path):
    trained_state(tmp_path, 'model.ckpt-800')

    with pytest.raises(
        OutputError, match=r"names 'model.ckpt-800'; .* overwrite the file"
    ):
        writer.check_state(str(tmp_path / 'model.ckpt'), overwrite=False)

    assert writer.check_state(str(tmp_path / 'model.ckpt'), overwrite=True) is None
    assert writer.check_state(str(tmp_path / 'model.ckpt-800'), False) is None
    assert writer.check_state(str(tmp_path / 'new' / 'model.ckpt'), False) is None


def test_the_files_are_those_that_a_saver_writes(tmp_path):
    prefix = str(tmp_path / 'model.ckpt')

    writer.write_checkpoint(prefix, ArraysInMemory({'w': np.ones([2])}), meta=b'meta')

    assert sorted(os.listdir(tmp_path)) == [
        'checkpoint',
        'model.ckpt.data-00000-of-00001',
        'model.ckpt.index',
        'model.ckpt.meta',
    ]
    assert (tmp_path / 'model.ckpt.meta').read_bytes() == b'meta'
    assert tf.train.latest_checkpoint(str(tmp_path)) == prefix


def test_a_saver_restores_what_was_written(tmp_path):
    graph = networks.inverted_residual_net(optimizer='adam')
    arrays = networks.random_arrays(graph, seed=3)
    prefix = writer.write_checkpoint(str(tmp_path / 'm'), ArraysInMemory(arrays))

    with graph.as_default(), tf.Session() as session:
        tf.train.Saver().restore(session, prefix)
        found = session.run({v.op.name: v for v in tf.global_variables()})

    assert_same(found, arrays)


def test_a_copy_of_a_checkpoint_is_bit_identical(tmp_path):
    graph = networks.inverted_residual_net(optimizer='momentum')
    source = Checkpoint(networks.save(graph, tmp_path / 'source'))

    copy = writer.write_checkpoint(str(tmp_path / 'copy'), source)

    assert_same(Checkpoint(copy), dict(source))


@pytest.mark.parametrize(('limit', 'shards'), [(1, 4), (50, 2), (1 << 20, 1)])
def test_large_checkpoints_are_written_in_shards(tmp_path, monkeypatch, limit, shards):
    monkeypatch.setattr(writer, 'SHARD_BYTES', limit)
    arrays = {name: np.full([6], i, np.float32) for i, name in enumerate('abcd')}
    prefix = str(tmp_path / 'model.ckpt')

    writer.write_checkpoint(prefix, ArraysInMemory(arrays))

    assert_same(Checkpoint(prefix), arrays)
    data = [name for name in os.listdir(tmp_path) if '.data-' in name]
    assert sorted(data) == [
        f'model.ckpt.data-{i:05d}-of-{shards:05d}' for i in range(shards)
    ]
    assert len(os.listdir(tmp_path)) == shards + 2


class Failing(Arrays):
    """Three arrays, the last of which cannot be read."""

    shapes = {'a': (2,), 'b': (2,), 'c': (2,)}
    dtypes = dict.fromkeys(shapes, tf.float32)

    def __init__(self, error):
        self._error = error

    def __getitem__(self, name):
        if name == 'c':
            raise self._error
        return np.ones([2], np.float32)


@pytest.mark.parametrize('limit', [1, 1 << 20])
def test_a_failure_midway_leaves_nothing_behind(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(writer, 'SHARD_BYTES', limit)

    with pytest.raises(OutputError, match='No space left on device'):
        writer.write_checkpoint(
            str(tmp_path / 'model.ckpt'),
            Failing(OSError(28, 'No space left on device')),
        )

    assert os.listdir(tmp_path) == []


def test_what_tensorflow_cannot_write_is_an_error_of_the_output(tmp_path):
    prefix = str(tmp_path / ('x' * 250))

    with pytest.raises(OutputError, match=r'cannot be written: File name too long\.$'):
        writer.write_checkpoint(prefix, ArraysInMemory({'w': np.ones([1])}))

    assert os.listdir(tmp_path) == []


def test_a_failure_midway_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, 'SHARD_BYTES', 1)
    prefix = str(tmp_path / 'model.ckpt')
    writer.write_checkpoint(prefix, ArraysInMemory({'old': np.ones([3])}), meta=b'old')
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(KeyError):
        writer.write_checkpoint(prefix, Failing(KeyError('c')), meta=b'new')

    assert sorted(os.listdir(tmp_path)) == before
    assert_same(Checkpoint(prefix), {'old': np.ones([3])})
    assert (tmp_path / 'model.ckpt.meta').read_bytes() == b'old'


def test_a_checkpoint_is_replaced_by_one_with_other_variables(tmp_path):
    prefix = str(tmp_path / 'model.ckpt')
    writer.write_checkpoint(prefix, ArraysInMemory({'old': np.ones([3])}), meta=b'old')

    writer.write_checkpoint(prefix, ArraysInMemory({'new': np.zeros([1])}), meta=b'new')

    assert_same(Checkpoint(prefix), {'new': np.zeros([1])})
    assert (tmp_path / 'model.ckpt.meta').read_bytes() == b'new'


def test_a_checkpoint_may_be_replaced_by_a_view_of_itself(tmp_path):
    prefix = str(tmp_path / 'model.ckpt')
    writer.write_checkpoint(prefix, ArraysInMemory({'w': np.arange(5.0)}))

    writer.write_checkpoint(prefix, Checkpoint(prefix))

    assert_same(Checkpoint(prefix), {'w': np.arange(5.0)})


def test_fewer_shards_than_before_leave_no_old_ones(tmp_path, monkeypatch):
    prefix = str(tmp_path / 'model.ckpt')
    arrays = ArraysInMemory({'a': np.ones([2]), 'b': np.ones([2])})
    with monkeypatch.context() as patch:
        patch.setattr(writer, 'SHARD_BYTES', 1)
        writer.write_checkpoint(prefix, arrays)

    writer.write_checkpoint(prefix, arrays)

    assert sorted(os.listdir(tmp_path)) == [
        'checkpoint',
        'model.ckpt.data-00000-of-00001',
        'model.ckpt.index',
    ]


@pytest.mark.parametrize('names', ['ab', 'a'])
def test_the_old_checkpoint_is_whole_until_the_new_index_comes(
    tmp_path, monkeypatch, names
):
    prefix = str(tmp_path / 'model.ckpt')
    for value in (1, 2):
        arrays = ArraysInMemory({name: np.full([2], value) for name in names})
        if value == 1:
            writer.write_checkpoint(prefix, arrays)
    seen = []
    replace = os.replace

    def watched(source, target):
        if os.path.exists(prefix + '.index'):
            seen.append({float(v) for a in Checkpoint(prefix).values() for v in a})
        replace(source, target)

    monkeypatch.setattr(os, 'replace', watched)
    writer.write_checkpoint(prefix, arrays)

    # Two shards and the index, then `checkpoint`; one variable cannot be split.
    assert seen == ([{1}, {1}, {1}, {2}] if names == 'ab' else [{2}])
    assert_same(Checkpoint(prefix), dict(arrays))
    data = [file for file in os.listdir(tmp_path) if '.data-' in file]
    assert len(data) == len(names)


@pytest.mark.parametrize('names', ['ab', 'a'])
def test_a_meta_graph_is_never_beside_the_variables_of_another(
    tmp_path, monkeypatch, names
):
    prefix = str(tmp_path / 'model.ckpt')
    seen = []

    def state():
        if not os.path.exists(prefix + '.index'):
            return 'no checkpoint'
        value = {float(v) for a in Checkpoint(prefix).values() for v in a}
        meta = tmp_path / 'model.ckpt.meta'
        return value, meta.read_bytes() if meta.exists() else None

    def watched(change):
        def changes(*paths):
            seen.append(state())
            change(*paths)

        return changes

    for value in (1, 2):
        arrays = ArraysInMemory({name: np.full([2], value) for name in names})
        writer.write_checkpoint(prefix, arrays, b'meta %d' % value)
        if value == 1:
            for name in ('replace', 'remove'):
                monkeypatch.setattr(os, name, watched(getattr(os, name)))

    assert seen[0] == ({1}, b'meta 1')
    assert seen[-1] == ({2}, b'meta 2')
    between = [({1}, None), ({2}, None)]
    between += ['no checkpoint'] if names == 'a' else []
    assert all(each in seen for each in between)
    assert all(each in (seen[0], seen[-1], *between) for each in seen)


def test_an_old_meta_graph_does_not_stay_beside_new_variables(tmp_path):
    prefix = str(tmp_path / 'model.ckpt')
    other = tmp_path / 'model.ckpt-2.meta'
    other.write_bytes(b'of another checkpoint')
    writer.write_checkpoint(prefix, ArraysInMemory({'old': np.ones([3])}), meta=b'old')

    writer.write_checkpoint(prefix, ArraysInMemory({'new': np.zeros([1])}))

    assert not (tmp_path / 'model.ckpt.meta').exists()
    assert other.read_bytes() == b'of another checkpoint'


def test_a_new_folder_is_made(tmp_path):
    prefix = str(tmp_path / 'a' / 'b' / 'model.ckpt')

    writer.write_checkpoint(prefix, ArraysInMemory({'w': np.ones([1])}))

    assert list(Checkpoint(prefix)) == ['w']


def test_a_name_without_a_folder_goes_into_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    writer.write_checkpoint('model.ckpt', ArraysInMemory({'w': np.ones([1])}))

    assert list(Checkpoint('model.ckpt')) == ['w']


def test_a_kill_at_any_moment_leaves_the_old_checkpoint_or_the_new_one(tmp_path):
    script = os.path.join(os.path.dirname(__file__), 'killed_writer.py')
    done = subprocess.run(
        [sys.executable, script, str(tmp_path / 'model.ckpt')],
        capture_output=True,
        text=True,
        check=True,
    )

    rounds = json.loads(done.stdout)
    assert len(rounds) == 15
    # One value for all variables: that of one of the checkpoints, never a mixture.
    assert [len(values) for values in rounds] == [1] * 15
    assert len({values[0] for values in rounds}) > 1


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    code = (
        'import numpy as np, sys\n'
        'from tf1pruning.ckpt import arrays, writer\n'
        'from tf1pruning.errors import OutputError\n'
        'values = arrays.ArraysInMemory({"w": np.ones(5000)})\n'
        'try:\n'
        '  writer.write_checkpoint(sys.argv[1], values)\n'
        'except OutputError as error:\n'
        '  print(error)\n'
    )
    folder = tmp_path / 'disk'
    folder.mkdir()
    prefix = str(folder / 'model.ckpt')

    done = programs.run_code(tmp_path, code, prefix, largest_file=4096)

    assert done.stdout == (
        f'Checkpoint {prefix!r} cannot be written: File too large.\n'
    )
    assert os.listdir(folder) == []
