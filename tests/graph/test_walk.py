"""Walks give out each thing once, in order, whatever the depth."""

from __future__ import annotations

import pytest

from tf1pruning.graph import walk

DIAMOND = {'a': ['b', 'c'], 'b': ['d'], 'c': ['d'], 'd': []}
LOOP = {'a': ['b'], 'b': ['c'], 'c': ['a', 'd'], 'd': []}


@pytest.mark.parametrize(
    'edges, before, after',
    [(DIAMOND, 'abdc', 'dbca'), (LOOP, 'abcd', 'dcba')],
    ids=['diamond', 'loop'],
)
def test_each_comes_once_in_order(edges, before, after):
    assert ''.join(walk.reached('a', edges.get)) == before
    assert ''.join(walk.leaves_first('a', edges.get)) == after


def test_the_first_start_comes_first():
    assert list(walk.reached('cb', DIAMOND.get)) == ['c', 'd', 'b']
    assert list(walk.leaves_first('cb', DIAMOND.get)) == ['d', 'c', 'b']


def test_what_follows_is_asked_for_after_each_is_given_out():
    asked = []

    def following(name):
        asked.append(name)
        return DIAMOND[name]

    assert next(walk.reached('a', following)) == 'a'
    assert asked == []


@pytest.mark.parametrize('walk_of', [walk.reached, walk.leaves_first])
def test_no_depth_is_too_much(walk_of):
    found = list(walk_of([0], lambda n: [n + 1] if n < 100_000 else []))

    assert sorted(found) == list(range(100_001))
