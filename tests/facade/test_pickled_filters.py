from __future__ import annotations

import collections
import os
import pickle

import numpy as np
import pytest

from tests.surgery import nets
from tf1pruning.errors import PlanError
from tf1pruning.facade import pickled_filters


def pickled(folder, value, protocol=2):
    path = folder / 'Pruned_Filters.pkl'
    path.write_bytes(pickle.dumps(value, protocol))
    return str(path)


def read(path):
    return pickled_filters.read_filters(path, 1000)


class MakesAFolder:
    """Runs a command while it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (self._path,)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_scopes_and_their_filters_are_read(tmp_path, protocol):
    value = {'SE1': [3, 0, 3], 'net/b1/': (2,), 'net/b2': []}

    found = read(pickled(tmp_path, value, protocol))

    assert found == {'SE1': (0, 3), 'net/b1/': (2,), 'net/b2': ()}


@pytest.mark.parametrize('wrap', [lambda x: x, lambda x: {'SE1': x}, lambda x: [x]])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, wrap):
    target = str(tmp_path / 'made')
    path = pickled(tmp_path, wrap(MakesAFolder(target)))

    with pytest.raises(PlanError, match=r'not a pickle of plain data.*mkdir'):
        read(path)

    assert not os.path.exists(target)


@pytest.mark.parametrize(
    'value',
    [
        np.arange(3),
        {'SE1': np.arange(3)},
        {'SE1': [np.int64(1)]},
        collections.OrderedDict(SE1=[1]),
        {'SE1': {1, 2}},
        {'SE1': [complex(1, 2)]},
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_but_plain_data_is_refused(tmp_path, value):
    with pytest.raises(PlanError, match=r'Pruned_Filters\.pkl.*plain data: it refers'):
        read(pickled(tmp_path, value))


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        ([1, 2], 'holds a list; expected a dict'),
        (None, 'holds a NoneType; expected a dict'),
        ({3: [1]}, 'has the key 3; expected a scope name'),
        ({'SE1': 3}, 'holds 3; expected a list of filter indices'),
        ({'SE1': '3'}, "holds '3'; expected a list of filter indices"),
        ({'SE1': [1.5]}, r'holds \[1\.5\]; expected a list of filter indices'),
        ({'SE1': [True]}, r'holds \[True\]; expected a list of filter indices'),
        ({'SE1': {'a': 1}}, r"holds \{'a': 1\}; expected a list of filter indices"),
    ],
)
def test_plain_data_of_another_form_is_refused(tmp_path, value, message):
    with pytest.raises(PlanError, match=message):
        read(pickled(tmp_path, value))


@pytest.mark.parametrize('data', [b'', b'no pickle', pickle.dumps({'SE1': [1]})[:-4]])
def test_a_damaged_file_is_refused(tmp_path, data):
    path = tmp_path / 'filters.pkl'
    path.write_bytes(data)

    with pytest.raises(PlanError, match=r'filters\.pkl.*not a pickle of plain data'):
        read(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PlanError, match=r'none\.pkl.*No such file'):
        read(str(tmp_path / 'none.pkl'))


def test_a_pickle_is_at_most_as_large_as_the_filters_of_the_model(tmp_path):
    net = nets.net_of(nets.chain(nets.conv('scope/a', 64), nets.conv('b', 3)))
    group = net.group('scope/a')
    largest = pickled_filters.largest_size([group])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        value = {group.name: list(range(64))}
        path = pickled(tmp_path, value, protocol)
        assert 2 * os.path.getsize(path) < largest

    path = pickled(tmp_path, {group.name: list(range(largest))})
    with pytest.raises(PlanError, match='bytes; expected at most'):
        pickled_filters.read_filters(path, largest)


def test_a_pickle_takes_no_more_memory_than_its_size(tmp_path):
    path = tmp_path / 'filters.pkl'
    path.write_bytes(b']r\xff\xff\xff\xff.')

    with pytest.raises(PlanError, match='it counts up to 4294967295 objects'):
        read(str(path))


def test_objects_that_hold_each_other_are_not_written_out(tmp_path):
    value = []
    for _ in range(40):
        value = [value, value]

    with pytest.raises(PlanError, match='expected a list of filter') as caught:
        read(pickled(tmp_path, {'SE1': value}))

    assert len(str(caught.value)) < 1000
