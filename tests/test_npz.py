from __future__ import annotations

import zipfile

import numpy as np
import pytest

from tf1pruning import npz
from tf1pruning.errors import DataError, OutputError


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


def header(path, version, text):
    """Writes an array of no numbers with a header that says something else."""
    start = np.lib.format.magic(*version) + len(text).to_bytes(4, 'little')
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('x.npy', start + text.encode())


def nested_header(path):
    # Python's parser would end the process.
    header(path, (2, 0), '1' + '+1' * 200000)
    return "'x' in it has a header of 400,001 bytes"


def deep_header(path):
    header(path, (2, 0), '(' * 500 + ')' * 500)
    # What older and newer versions of NumPy say.
    return '(MemoryError|Cannot parse header)'


def unknown_format(path):
    header(path, (9, 0), '{}')
    return r"'x' in it has the unknown format \(9, 0\)"


BAD = [no_file, not_an_archive, other_archive, pickled]


@pytest.mark.parametrize('write', [*BAD, nested_header, deep_header, unknown_format])
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


X = np.arange(24.0).reshape(6, 4)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
@pytest.mark.parametrize('x', [X, X.T.copy().T], ids=['by rows', 'by columns'])
def test_rows_are_read_chunk_by_chunk(save, x, tmp_path):
    path = str(tmp_path / 'data.npz')
    save(path, x=x, y=np.arange(6), other=np.zeros(2))
    chunks = [np.array([0, 1, 3]), np.array([5])]

    found = list(npz.rows(path, ['y', 'x'], chunks))

    assert [chunk['y'].tolist() for chunk in found] == [[0, 1, 3], [5]]
    assert [chunk['x'].tolist() for chunk in found] == [
        X[[0, 1, 3]].tolist(),
        X[[5]].tolist(),
    ]


def test_headers_are_read_without_the_arrays(tmp_path):
    path = str(tmp_path / 'data.npz')
    np.savez(path, x=X)

    assert npz.headers(path) == {'x': ((6, 4), np.dtype(float))}
    assert npz.read_array(path, 'x').tolist() == X.tolist()


def test_damaged_rows_are_one_error(tmp_path):
    path = tmp_path / 'data.npz'
    np.savez_compressed(str(path), x=np.random.RandomState(0).rand(2000))
    data = path.read_bytes()
    path.write_bytes(data[:5000] + bytes(100) + data[5100:])

    with pytest.raises(DataError, match=r"data\.npz' cannot be read"):
        list(npz.rows(str(path), ['x'], [np.array([1999])]))


def test_what_is_written_is_read_again_and_replaces_a_whole_file(tmp_path):
    path = str(tmp_path / 'data.npz')
    npz.write(path, {'old': X})
    npz.write(path, {'net/w': X, 'text': np.array('é')})

    assert {name: array.tolist() for name, array in npz.read(path).items()} == {
        'net/w': X.tolist(),
        'text': 'é',
    }
    assert [each.name for each in tmp_path.iterdir()] == ['data.npz']
    with pytest.raises(OutputError, match=r'not writable|cannot be made'):
        npz.write(f'{path}/data.npz', {'x': X})
