"""Attributes of `Pruning` that are fields of its options or of its state."""

from __future__ import annotations

from typing import Any, Callable, Optional

from tf1pruning.facade.state import State


class _Named:
    """An attribute that knows its name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name


class Option(_Named):
    """A field of the options, checked when it is set."""

    def __get__(self, pruning: Any, owner: Optional[type] = None) -> Any:
        return self if pruning is None else getattr(pruning._state.options, self._name)

    def __set__(self, pruning: Any, value: Any) -> None:
        pruning._state.set_option(self._name, value)


class Found(_Named):
    """A field of the state, which scripts may set to that of an earlier run."""

    def __get__(self, pruning: Any, owner: Optional[type] = None) -> Any:
        return self if pruning is None else getattr(pruning._state, self._name)

    def __set__(self, pruning: Any, value: Any) -> None:
        pruning._state.set_found(self._name, value)


class Exported(Option):
    """Where a file of the stripped network is, or is to go.

    Args:
      number: 0 for the checkpoint, 1 for the frozen graph.
    """

    def __init__(self, number: int):
        self._number = number

    def __get__(self, pruning: Any, owner: Optional[type] = None) -> Any:
        if pruning is None:
            return self
        last = pruning._state.exported[self._number]
        return last or getattr(pruning._state.options, self._name)


class Computed(_Named):
    """A value that a function computes from the state; it cannot be set.

    Args:
      compute: State -> value.
    """

    def __init__(self, compute: Callable[[State], Any]):
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, pruning: Any, owner: Optional[type] = None) -> Any:
        return self if pruning is None else self._compute(pruning._state)

    def __set__(self, pruning: Any, value: Any) -> None:
        raise AttributeError(f'{self._name} is computed from the graph and the plan')
