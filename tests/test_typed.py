"""Values are compared with annotations."""

from __future__ import annotations

import dataclasses
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    Iterable,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
import pytest

from tf1pruning import files, typed
from tf1pruning.errors import OptionError


@pytest.mark.parametrize(
    ('hint', 'good', 'bad'),
    [
        (str, 'x', b'x'),
        (bool, False, 0),
        (bool, np.bool_(True), 'no'),
        (int, np.int64(3), 1.0),
        (int, 3, True),
        (float, 1, '1'),
        (float, np.float32(1.5), np.bool_(True)),
        (Optional[int], None, 'x'),
        (Sequence[str], ['x'], 'x'),
        (Sequence[str], (), [1]),
        (Sequence[float], np.arange(2.0), 1.0),
        (Collection[str], {'x'}, b'x'),
        (Iterable[int], iter([1]), 3),
        (Tuple[int, ...], [1, 2], [1.5]),
        (Tuple[str, float], ('x', 1), ('x',)),
        (Mapping[str, int], {'x': 1}, {'x': 'y'}),
        (Dict[str, Any], {}, []),
        (Callable[[], int], len, 3),
        (np.ndarray, np.zeros(2), [0, 0]),
        (files.Path, 'x', 3),
        (Any, object(), None),
    ],
)
def test_a_value_fits_its_annotation_or_not(hint, good, bad):
    assert typed.fits(good, hint)
    assert typed.fits(bad, hint) == (hint is Any)


@typed.checked
def shares(names: Sequence[str], share: float = 0.5, **others: Any) -> float:
    """Something."""
    return share


def test_a_checked_function_works_and_names_what_is_wrong():
    assert shares(['x'], 1, y=None) == 1
    with pytest.raises(OptionError, match=r"names is 'x'; .* strings, such as \['x'\]"):
        shares('x')
    with pytest.raises(OptionError, match="share is '1'; expected a number"):
        shares([], share='1')
    with pytest.raises(TypeError, match="missing a required argument: 'names'"):
        shares()


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A value in a file."""

    size: float
    name: str = ''


@typed.checked
@dataclasses.dataclass(frozen=True)
class Tree:
    """A value with others in it."""

    leaves: Tuple[Leaf, ...]
    rows: Tuple[Tuple[int, ...], ...] = ()
    other: Optional[float] = None


def test_a_checked_class_names_what_is_wrong():
    assert Tree((Leaf(1),)).leaves[0].size == 1
    with pytest.raises(OptionError, match=r'leaves is \[3\]; expected a list of Leafs'):
        Tree([3])


def test_a_dataclass_is_read_from_json():
    data = {'leaves': [{'size': 1}], 'rows': [[1, 2], []], 'other': 2}

    assert typed.from_json(Tree, data) == Tree((Leaf(1.0),), ((1, 2), ()), 2.0)
    assert isinstance(typed.from_json(Tree, data).other, float)


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ([], r'\[\] is no object with fields'),
        ({}, "'leaves' is missing"),
        ({'leaves': [], 'x': 1}, "'x' is unknown"),
        ({'leaves': 3}, "'leaves' is 3; expected a list of Leafs"),
        ({'leaves': [3]}, '3 is no object'),
        ({'leaves': [{'size': True}]}, "'size' is True; expected a number"),
        ({'leaves': [{'size': 10**400}]}, "'size' is larger than any float"),
        ({'leaves': [], 'rows': [[1.5]]}, r"'rows' is 1\.5; expected an integer"),
        ({'leaves': [], 'other': 'x'}, "'other' is 'x'; expected a number or None"),
    ],
)
def test_a_field_of_a_file_that_is_wrong_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        typed.from_json(Tree, data)
