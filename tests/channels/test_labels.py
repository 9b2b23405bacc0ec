from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.channels.labels import FIXED, LabelSpace, connected_components


def smallest_members(count, edges):
    """Union-find, one edge after the other."""
    parent = list(range(count))

    def root(node):
        while parent[node] != node:
            node = parent[node]
        return node

    for left, right in edges:
        a, b = root(left), root(right)
        parent[max(a, b)] = min(a, b)
    return [root(node) for node in range(count)]


@pytest.mark.parametrize('seed', range(40))
def test_components_are_those_of_a_simple_union_find(seed):
    generator = np.random.RandomState(seed)
    count = generator.randint(1, 60)
    edges = generator.randint(0, count, [generator.randint(0, 80), 2])

    found = connected_components(count, edges[:, 0], edges[:, 1])

    assert found.tolist() == smallest_members(count, edges.tolist())


@pytest.mark.parametrize('seed', range(3))
def test_a_long_chain_in_any_order_is_one_component(seed):
    order = np.random.RandomState(seed).permutation(999)

    assert not connected_components(1000, order, order + 1).any()


def test_fresh_labels_are_distinct_and_never_the_fixed_one():
    space = LabelSpace()

    assert space.fresh(3).tolist() == [1, 2, 3]
    assert space.fresh(2).tolist() == [4, 5]
    assert FIXED == 0


def test_unified_labels_take_the_name_of_the_smallest():
    space = LabelSpace()
    a, b, c = space.fresh(2), space.fresh(2), space.fresh(2)

    space.unify(b, c, 'unused')
    space.unify(a, b[::-1], 'unused')

    assert space.resolve().of_label.tolist() == [0, 1, 2, 2, 1, 2, 1]
    assert space.resolve().reasons == {}


def test_one_label_is_broadcast_over_many():
    space = LabelSpace()
    one, many = space.fresh(1), space.fresh(3)

    space.unify(one, many, 'unused')

    assert space.resolve().of_label.tolist() == [0, 1, 1, 1, 1]


def test_a_label_that_meets_a_fixed_one_is_frozen_with_the_reason():
    space = LabelSpace()
    a = space.fresh(3)

    space.unify(a, np.array([0, a[1], 0]), 'is added to the input')

    assert space.resolve().reasons == {
        1: ('is added to the input',),
        3: ('is added to the input',),
    }
    assert space.resolve().of_label.tolist() == [0, 1, 2, 3]


def test_beside_a_fixed_label_the_other_one_names_the_channel():
    space = LabelSpace()
    a = space.fresh(2)

    joined = space.join(a, np.array([FIXED, a[1]]), 'is added to the input')

    assert joined.tolist() == a.tolist()


def test_a_reason_reaches_the_whole_class_once_and_the_first_comes_first():
    space = LabelSpace()
    a, b = space.fresh(2), space.fresh(2)
    space.freeze(b, 'first')
    space.freeze(a[:1], 'second')
    space.freeze(b[:1], 'first')

    space.unify(a, b, 'unused')

    assert space.resolve().reasons == {1: ('first', 'second'), 2: ('first',)}


def test_the_fixed_label_needs_no_reason():
    space = LabelSpace()

    space.freeze(np.array([0, 0]), 'is the input')
    space.unify(np.array([0]), np.array([0]), 'unused')

    assert space.resolve().reasons == {}
