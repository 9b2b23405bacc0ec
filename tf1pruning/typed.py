"""Compares values with annotations: what users pass, and what files hold."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import numbers
import reprlib
import typing
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, TypeVar, Union

import numpy as np

from tf1pruning import names
from tf1pruning.errors import OptionError

Checked = TypeVar('Checked', bound=Callable[..., Any])
Value = TypeVar('Value')

# What counts as such a value, and what it is called. NumPy has numbers of its own; a
# truth value is no number.
_PLAIN: Dict[Any, Tuple[Tuple[type, ...], str]] = {
    str: ((str,), 'a string'),
    bool: ((bool, np.bool_), 'True or False'),
    int: ((numbers.Integral,), 'an integer'),
    float: ((numbers.Real,), 'a number'),
    type(None): ((type(None),), 'None'),
}
_MANY = (collections.abc.Sequence, collections.abc.Collection, np.ndarray)


def checked(target: Checked) -> Checked:
    """Decorator: a function or class that refuses arguments of other types.

    Raises:
      OptionError: when it is called: names the argument, what it is, and what it is
        expected to be.
    """
    is_class = inspect.isclass(target)
    function: Any = target.__init__ if is_class else target  # type: ignore[misc]
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        hints = _hints(target)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            check(name, value, hints.get(name, Any))
        return function(*args, **kwargs)

    if not is_class:
        return typing.cast(Checked, call)
    target.__init__ = call  # type: ignore[misc]
    return target


@functools.lru_cache(maxsize=None)
def _hints(target: Any) -> Dict[str, Any]:
    """Argument -> its type."""
    is_plain = inspect.isclass(target) and not dataclasses.is_dataclass(target)
    return typing.get_type_hints(target.__init__ if is_plain else target)


def check(name: str, value: Any, hint: Any) -> None:
    """Raises OptionError for a value that does not have the type of an annotation."""
    if not fits(value, hint):
        found = reprlib.repr(value)
        hint_text = expected(hint)
        such = f', such as [{found}]' if isinstance(value, str) else ''
        listed = such if 'list of strings' in hint_text else ''
        raise OptionError(f'{name} is {found}; expected {hint_text}{listed}.')


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has the type of an annotation; a list serves as a tuple."""
    if hint is Any:
        return True
    origin, inner = _parts(hint)
    if hint in _PLAIN:
        is_truth = isinstance(value, (bool, np.bool_))
        return isinstance(value, _PLAIN[hint][0]) and is_truth == (hint is bool)
    if origin is Union:
        return any(fits(value, each) for each in inner)
    if origin is collections.abc.Callable:
        return callable(value)
    if origin in (dict, collections.abc.Mapping):
        return isinstance(value, collections.abc.Mapping) and (
            all(fits(key, inner[0]) for key in value)
            and all(fits(each, inner[1]) for each in value.values())
        )
    if _is_list(origin):
        return _fits_list(value, origin, inner)
    return not isinstance(hint, type) or isinstance(value, hint)


def _fits_list(value: Any, origin: Any, inner: Tuple[Any, ...]) -> bool:
    is_text = isinstance(value, (str, bytes))
    if is_text or not isinstance(value, collections.abc.Iterable):
        return False
    if not isinstance(value, _MANY):  # Can be gone through only once.
        return origin is collections.abc.Iterable
    if origin is tuple and inner[-1] is not Ellipsis:
        return len(value) == len(inner) and all(map(fits, value, inner))
    return all(fits(each, inner[0]) for each in value)


def _parts(hint: Any) -> Tuple[Any, Tuple[Any, ...]]:
    """`Tuple[int, ...]` -> tuple, (int, ...)."""
    inner = getattr(hint, '__args__', None) or ()
    return getattr(hint, '__origin__', None), inner or (Any, Any)


def _is_list(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, collections.abc.Iterable)


def expected(hint: Any) -> str:
    """An annotation in words.

    >>> expected(typing.Optional[typing.Sequence[str]])
    'a list of strings or None'
    """
    origin, inner = _parts(hint)
    if hint in _PLAIN:
        return _PLAIN[hint][1]
    if origin is Union:
        return ' or '.join(expected(each) for each in inner)
    if origin is collections.abc.Callable:
        return 'a function'
    if origin in (dict, collections.abc.Mapping):
        return 'a mapping'
    if _is_list(origin):
        if origin is tuple and inner[-1] is not Ellipsis:
            return f'({", ".join(expected(each) for each in inner)})'
        plural = expected(inner[0]).partition(' ')[2]
        return f'a list of {plural}s' if plural else 'a list'
    return f'a {hint.__name__}' if isinstance(hint, type) else 'another value'


def given_or_made(
    given: Optional[Value],
    kind: Callable[..., Value],
    what: str,
    fields: Mapping[str, Any],
) -> Value:
    """A dataclass that is given, or else made of the keywords of a function.

    Args:
      given: None: `fields` counts.
      kind: the dataclass.
      what: it is, for messages: `A choice has no`.
      fields: name -> value.

    Raises:
      OptionError: if both are given, or it has no such field; or like the dataclass.
    """
    if given is not None:
        if fields:
            raise OptionError(
                f'{type(given).__name__} is given, and {names.quoted(list(fields))} as '
                'well. Give one.'
            )
        return given
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in fields:
        if name not in known:
            hint = names.did_you_mean(name, known)
            raise OptionError(f'{what} {name!r}. {hint}')
    return kind(**fields)


def versioned(data: Any, key: str, version: int) -> Dict[str, Any]:
    """The fields of a JSON file without that of its version.

    Raises:
      ValueError: if it has another version, or no fields.
    """
    if not isinstance(data, dict):
        raise ValueError(f'{reprlib.repr(data)} is no object with fields')
    found = {name: value for name, value in data.items() if name != key}
    if data.get(key) != version or isinstance(data[key], bool):
        text = reprlib.repr(data.get(key))
        raise ValueError(f'it has {key} {text}; expected {version}')
    return found


def from_json(kind: Callable[..., Value], data: Any) -> Value:
    """A dataclass from what a JSON file has of it.

    Args:
      kind: the dataclass; it may hold others, and lists of them.
      data: a parsed object.

    Raises:
      ValueError: names a field that is missing, unknown, or of another type. What the
        class itself raises passes.
    """
    if not isinstance(data, dict):
        raise ValueError(f'{reprlib.repr(data)} is no object with fields')
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise ValueError(f'the field {unknown[0]!r} is unknown')
    missing = [name for name in fields if name not in data and _is_needed(fields[name])]
    if missing:
        raise ValueError(f'the field {missing[0]!r} is missing')
    return kind(**{name: _from_json(name, hints[name], data[name]) for name in data})


def _is_needed(field: Any) -> bool:
    has_factory = field.default_factory is not dataclasses.MISSING
    return field.default is dataclasses.MISSING and not has_factory


def _from_json(name: str, hint: Any, value: Any) -> Any:
    origin, inner = _parts(hint)
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value)
    if origin is tuple and isinstance(value, list) and inner[-1] is Ellipsis:
        return tuple(_from_json(name, inner[0], each) for each in value)
    if not fits(value, hint):
        found = reprlib.repr(value)
        raise ValueError(f'the field {name!r} is {found}; expected {expected(hint)}')
    if hint in (float, typing.Optional[float]) and value is not None:
        return _as_float(name, value)
    return value


def _as_float(name: str, value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f'the field {name!r} is larger than any float') from None
