from __future__ import annotations

import json
import os
import socket

import pytest

from tf1pruning import files
from tf1pruning.errors import OutputError


@pytest.mark.parametrize('read', [files.read_bytes, files.read_text, files.read_json])
def test_only_regular_files_are_opened(read, tmp_path):
    for name, make in {
        'pipe': os.mkfifo,
        'device': lambda path: os.symlink('/dev/zero', path),
        'socket': lambda path: socket.socket(socket.AF_UNIX).bind(path),
    }.items():
        path = str(tmp_path / name)
        make(path)
        with pytest.raises(OSError, match='pipe, socket or device, no file'):
            read(path)
    with pytest.raises(IsADirectoryError):
        read(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / 'none'))


@pytest.mark.parametrize('name', ['\udcff', 'a\0b', '\ud800'])
def test_a_name_that_tensorflow_does_not_take_is_an_error_of_the_system(name):
    for use in (files.read_bytes, files.check_regular, files.check_name):
        with pytest.raises(OSError, match='not UTF-8; rename it') as caught:
            use(name)
        assert caught.value.filename == name
    with pytest.raises(OutputError, match='not UTF-8'):
        files.make_folder(name)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = str(tmp_path / 'huge.pb')
    with open(path, 'wb') as file:
        file.truncate(1 << 40)

    with pytest.raises(OSError, match='1,099,511,627,776 bytes; expected at most'):
        files.read_bytes(path)


@pytest.mark.parametrize('content', [b'\xff', b'{', b'[' * 100000])
def test_what_is_no_json_is_one_kind_of_error(content, tmp_path):
    path = tmp_path / 'x.json'
    path.write_bytes(content)

    with pytest.raises(ValueError):
        files.read_json(str(path))


def test_a_folder_is_made_with_its_parents(tmp_path):
    made = files.make_folder(str(tmp_path / 'a' / 'b'))

    assert os.listdir(tmp_path / 'a') == ['b']
    assert made == str(tmp_path / 'a' / 'b')


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / 'taken').write_text('')

    with pytest.raises(OutputError, match=r"Output folder '.*taken' cannot be made"):
        files.make_folder(str(tmp_path / 'taken'))


def test_text_is_written_as_utf8_into_a_new_folder(tmp_path):
    path = tmp_path / 'new' / 'summary.txt'

    files.write_text(str(path), 'Größe\n')

    assert path.read_bytes() == b'Gr\xc3\xb6\xc3\x9fe\n'
    assert os.listdir(path.parent) == ['summary.txt']


def test_json_ends_with_a_newline_and_reads_back(tmp_path):
    path = tmp_path / 'state.json'

    files.write_json(str(path), {'a': [1, 2.5, None]})

    assert path.read_text().endswith('}\n')
    assert json.loads(path.read_text()) == {'a': [1, 2.5, None]}


def test_a_name_without_a_folder_goes_into_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    files.write_text('here.txt', 'x')

    assert os.listdir(tmp_path) == ['here.txt']


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    path = tmp_path / 'state.json'
    files.write_json(str(path), {'a': 1})

    with pytest.raises(TypeError):
        files.write_json(str(path), {'a': object()})

    assert json.loads(path.read_text()) == {'a': 1}


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'graph.pb'
    path.write_bytes(b'old')

    full = pytest.raises(OutputError, match='No space left on device')
    with full, files.staging(str(tmp_path)) as temporary:
        with open(os.path.join(temporary, 'graph.pb'), 'wb') as file:
            file.write(b'half')
        raise OSError(28, 'No space left on device')

    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['graph.pb']


def test_a_folder_that_was_made_for_nothing_goes(tmp_path):
    with pytest.raises(KeyError), files.staging(str(tmp_path / 'new')):
        raise KeyError('mine')

    assert os.listdir(tmp_path) == []


def test_what_is_there_already_is_named_unless_it_may_be_replaced(tmp_path):
    paths = [str(tmp_path / name) for name in ('a', 'b', 'c')]
    (tmp_path / 'b').write_text('old')
    (tmp_path / 'c').symlink_to('nowhere')

    with pytest.raises(OutputError, match=r"b', '.*c'\. Overwrite it") as caught:
        files.check_new(paths, overwrite=False)

    assert paths[0] not in str(caught.value)
    assert files.check_new(paths, overwrite=True) is None
    assert files.check_new(paths[:1], overwrite=False) is None


def test_an_error_of_the_caller_passes_through_and_cleans_up(tmp_path):
    with pytest.raises(KeyError), files.staging(str(tmp_path)):
        raise KeyError('mine')

    assert os.listdir(tmp_path) == []


def test_a_file_is_removed_if_there_is_one(tmp_path):
    path = tmp_path / 'report.json'
    path.write_text('{}', encoding='utf-8')

    for _ in range(2):
        files.remove(str(path))
        assert not path.exists()


def test_publishing_replaces_the_target(tmp_path):
    source, target = tmp_path / 'new', tmp_path / 'old'
    source.write_text('new')
    target.write_text('old')

    files.publish(str(source), str(target))

    assert target.read_text() == 'new'
    assert os.listdir(tmp_path) == ['old']


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path):
    (tmp_path / 'plan.json').mkdir()

    with pytest.raises(OutputError, match='Is a directory'):
        files.write_text(str(tmp_path / 'plan.json'), 'x')

    assert os.listdir(tmp_path) == ['plan.json']


def test_a_pipe_or_a_device_is_not_replaced(tmp_path):
    os.mkfifo(str(tmp_path / 'pipe'))
    os.symlink('/dev/null', str(tmp_path / 'device'))
    for name in ('pipe', 'device'):
        with pytest.raises(OutputError, match='pipe, socket or device'):
            files.write_text(str(tmp_path / name), 'x')

    assert sorted(os.listdir(tmp_path)) == ['device', 'pipe']
    assert os.path.islink(str(tmp_path / 'device'))


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    for content in ('old', 'new'):
        source = tmp_path / 'staged' / 'model'
        source.mkdir(parents=True, exist_ok=True)
        (source / content).write_text(content)
        files.publish_folder(str(source), str(tmp_path / 'model'))

    assert os.listdir(tmp_path / 'model') == ['new']
    assert os.listdir(tmp_path / 'staged') == ['model.old']


def test_a_folder_takes_the_place_of_a_file_or_link(tmp_path):
    (tmp_path / 'file').write_text('old')
    (tmp_path / 'link').symlink_to('nowhere')
    for name in ('file', 'link'):
        (tmp_path / 'staged' / name).mkdir(parents=True)
        files.publish_folder(str(tmp_path / 'staged' / name), str(tmp_path / name))

    assert [os.listdir(tmp_path / name) for name in ('file', 'link')] == [[], []]


def test_a_file_is_aside_while_what_it_belongs_to_is_replaced(tmp_path):
    path = tmp_path / 'plan.json'
    path.write_text('old')

    with pytest.raises(KeyError), files.set_aside(str(path)):
        assert not path.exists()
        raise KeyError('mine')
    assert path.read_text() == 'old'

    with files.set_aside(str(path)):
        pass
    assert os.listdir(tmp_path) == []
    with files.set_aside(str(tmp_path / 'new' / 'plan.json')):
        pass
    assert os.listdir(tmp_path) == []


def test_a_kill_leaves_it_aside(tmp_path):
    path = tmp_path / 'plan.json'
    path.write_text('old')
    child = os.fork()
    if not child:
        with files.set_aside(str(path)):
            os._exit(9)
    os.waitpid(child, 0)

    assert not path.exists()
    assert all(name.startswith(files.TEMPORARY) for name in os.listdir(tmp_path))
