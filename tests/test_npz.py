from __future__ import annotations

import zipfile

import numpy as np
import pytest

from tf1pruning import npz
from tf1pruning.errors import DataError


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_are_read_by_name(save, tmp_path):
    path = str(tmp_path / 'data.npz')
    save(path, **{'x': np.array([1.5, 2.0], np.float32), 'a/b': np.array('text')})

    found = npz.read(path)

    assert sorted(found) == ['a/b', 'x']
    assert found['x'].tolist() == [1.5, 2.0]
    assert found['x'].dtype == np.float32
    assert str(found['a/b']) == 'text'


def no_file(path):
    return 'No such file'


def not_an_archive(path):
    with open(path, 'wb') as file:
        np.save(file, np.zeros(3))
    return 'not a zip file'


def other_archive(path):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('notes.txt', 'nothing')
    return "'notes.txt' in it is not an array"


def pickled(path):
    np.savez(path, x=np.array([{}], dtype=object))
    return 'holds Python objects'


@pytest.mark.parametrize('write', [no_file, not_an_archive, other_archive, pickled])
def test_a_file_without_arrays_is_refused(write, tmp_path):
    path = str(tmp_path / 'data.npz')
    message = write(path)

    with pytest.raises(DataError, match=rf"data\.npz' cannot be read: .*{message}"):
        npz.read(path)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_damage_anywhere_is_one_error(save, tmp_path, capfd):
    path = tmp_path / 'data.npz'
    save(str(path), x=np.arange(20.0))
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        flipped = bytes([whole[position] ^ 0xFF])
        path.write_bytes(whole[:position] + flipped + whole[position + 1 :])
        try:
            npz.read(str(path))
        except DataError:
            refused += 1

    assert refused > len(whole) // 2
    assert capfd.readouterr().err == ''
