"""Walks over anything that follows something: nodes, tensors, functions, operations.

Both are a loop over a stack, so that no depth is too much. They take linear time, and
cycles do no harm.
"""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, Sequence, TypeVar

T = TypeVar('T')


def reached(starts: Iterable[T], following: Callable[[T], Sequence[T]]) -> Iterator[T]:
    """The starts and all that follows them, each once, before what follows it.

    Args:
      starts: where to begin, the first first.
      following: what comes next; asked once for each, after that was given out.
    """
    stack = list(starts)[::-1]
    seen = set()
    while stack:
        each = stack.pop()
        if each not in seen:
            seen.add(each)
            yield each
            stack += reversed(following(each))


def leaves_first(
    starts: Iterable[T], following: Callable[[T], Sequence[T]]
) -> Iterator[T]:
    """What `reached` gives, each after what follows it, but where that is a cycle."""
    stack = list(starts)[::-1]
    seen, done = set(), set()
    while stack:
        each = stack[-1]
        if each not in seen:
            seen.add(each)
            stack += [child for child in reversed(following(each)) if child not in seen]
        elif stack.pop() not in done:
            done.add(each)
            yield each
