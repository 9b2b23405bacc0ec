from __future__ import annotations

import pytest

from tf1pruning import names
from tf1pruning.errors import GraphError


@pytest.mark.parametrize(
    ('text', 'node', 'output'),
    [
        ('net/w', 'net/w', 0),
        ('net/w:0', 'net/w', 0),
        ('split:2', 'split', 2),
        ('^net/init', 'net/init', 0),
    ],
)
def test_a_tensor_name_has_a_node_and_an_output(text, node, output):
    assert names.parse_tensor(text) == (node, output)
    assert names.node_name(text) == node


def test_a_tensor_prints_with_its_output():
    assert str(names.parse_tensor('net/w')) == 'net/w:0'


def test_only_a_caret_marks_a_control_input():
    assert names.is_control('^net/init')
    assert not names.is_control('net/init:0')


@pytest.mark.parametrize(
    ('name', 'scope', 'expected'),
    [
        ('SE1/conv/weights', 'SE1', True),
        ('SE10/conv/weights', 'SE1', False),
        ('net/SE1/conv', 'SE1', True),
        ('net/mySE1/conv', 'SE1', False),
        ('net/block/SE1', 'SE1', True),
        ('net/block/conv', 'net/block/', True),
        ('net/block/conv', 'block/conv', True),
        ('net/block/conv', 'net/conv', False),
        ('anything', '', True),
        ('anything', '/', True),
    ],
)
def test_a_scope_matches_whole_path_components(name, scope, expected):
    assert names.in_scope(name, scope) is expected


@pytest.mark.parametrize(
    ('members', 'expected'),
    [
        (['net/b1/expand/w', 'net/b1/project/w'], 'net/b1'),
        (['net/b1/w', 'net/b10/w'], 'net'),
        (['net/b1/w'], 'net/b1'),
        (['a/w', 'b/w'], ''),
        ([], ''),
    ],
)
def test_the_common_scope_ends_at_a_component(members, expected):
    assert names.common_scope(members) == expected


def test_the_parent_of_a_top_level_name_is_the_empty_scope():
    assert names.parent_scope('weights') == ''


def test_the_most_similar_names_come_first():
    found = names.nearest('net/outptu', ['input', 'net/output', 'net/out'])

    assert found[0] == 'net/output'
    assert len(names.nearest('a1', ['a1', 'a2', 'a3', 'a4'], count=2)) == 2


def test_a_name_unlike_any_other_gets_no_suggestion():
    assert names.did_you_mean('qqq', ['output']) == 'No name comes near it.'


def test_long_lists_of_names_are_cut():
    assert names.quoted([str(i) for i in range(12)], limit=2) == "'0', '1' and 10 more"
    assert names.quoted(['a']) == "'a'"


@pytest.mark.parametrize('text', ['net/w:', 'net/w:x', 'net/w:1:2'])
def test_what_is_no_tensor_name_is_refused(text):
    with pytest.raises(
        GraphError, match=r'not the name of a tensor; expected .*net/w:0'
    ):
        names.parse_tensor(text)
