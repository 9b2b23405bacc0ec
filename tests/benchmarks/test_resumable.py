from __future__ import annotations

import json

import pytest

from benchmarks.resumable import Pieces
from tf1pruning.errors import DataError


def test_a_finished_piece_is_not_done_again(tmp_path):
    path = str(tmp_path / 'pieces.json')
    calls = []

    def work(number):
        calls.append(number)
        return {'accuracy': number}

    first = Pieces(path, {'seed': 0}).do('a', work, 0.5)
    again = Pieces(path, {'seed': 0})

    assert again.do('a', work, 0.75) == first
    assert again.do('b', work, 0.25)['accuracy'] == 0.25
    assert calls == [0.5, 0.25]
    assert again.seconds == first['seconds'] + again.do('b', work, 0)['seconds']


def test_a_piece_that_fails_leaves_the_others(tmp_path):
    path = tmp_path / 'pieces.json'
    pieces = Pieces(str(path), {})
    pieces.do('a', dict)

    with pytest.raises(ZeroDivisionError):
        pieces.do('b', lambda: {'x': 1 / 0})

    assert list(json.loads(path.read_text())['pieces']) == ['a']
    assert [p.name for p in tmp_path.iterdir()] == ['pieces.json']


def test_pieces_of_other_settings_are_refused(tmp_path):
    path = str(tmp_path / 'pieces.json')
    Pieces(path, {'seed': 0}).do('a', dict)

    with pytest.raises(DataError, match=r"with \{'seed': 0\}, and this one has"):
        Pieces(path, {'seed': 1})


@pytest.mark.parametrize('content', ['{"settings": {}', '[]', '{"settings": {}}'])
def test_a_damaged_file_is_refused_by_name(content, tmp_path):
    path = tmp_path / 'pieces.json'
    path.write_text(content)

    with pytest.raises(DataError, match=r'pieces\.json.* holds no pieces'):
        Pieces(str(path), {})
