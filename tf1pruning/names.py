"""Grammar of node, tensor, variable and scope names.

A node is `net/w`, its first tensor `net/w:0`, a control input `^net/w`. A scope is a
run of whole path components: scope `SE1` holds `SE1/conv` and `net/SE1/conv`, never
`SE10`.
"""

from __future__ import annotations

import difflib
import functools
import os
from typing import FrozenSet, Iterable, List, NamedTuple, Sequence, Set

from tf1pruning.errors import GraphError


class TensorRef(NamedTuple):
    """Output number `output` of the node `node`."""

    node: str
    output: int

    def __str__(self) -> str:
        return f'{self.node}:{self.output}'

    @property
    def as_input(self) -> str:
        """The tensor as nodes name their inputs: the first without a number."""
        return str(self) if self.output else self.node


def claim(base: str, taken: Set[str]) -> str:
    """`base`, or `base_1`, `base_2` ... if that name is taken; now it is.

    >>> claim('input', {'input', 'input_1'})
    'input_2'
    """
    name, count = base, 0
    while name in taken:
        count += 1
        name = f'{base}_{count}'
    taken.add(name)
    return name


def op_types(listed: str) -> FrozenSet[str]:
    """A table of op types, written with blanks between them.

    >>> sorted(op_types('Relu Relu6'))
    ['Relu', 'Relu6']
    """
    return frozenset(listed.split())


def is_control(name: str) -> bool:
    """Whether a node input is a control dependency."""
    return name.startswith('^')


# A graph names each of its tensors many times.
@functools.lru_cache(maxsize=1 << 16)
def parse_tensor(name: str) -> TensorRef:
    """Parses `node`, `node:1` or `^node`.

    >>> parse_tensor('net/split:1')
    TensorRef(node='net/split', output=1)
    >>> parse_tensor('net/w')
    TensorRef(node='net/w', output=0)

    Raises:
      GraphError: if what follows the colon is no number.
    """
    node, colon, index = name.lstrip('^').partition(':')
    if colon and not index.isdigit():
        raise GraphError(
            f'{name!r} is not the name of a tensor; expected that of a node, or one '
            f'like {node + ":0"!r}.'
        )
    return TensorRef(node, int(index) if colon else 0)


def node_name(name: str) -> str:
    """Name of the node of a tensor name or a node input.

    >>> node_name('net/w:0')
    'net/w'

    Raises:
      GraphError: like `parse_tensor`.
    """
    return parse_tensor(name).node


def in_scope(name: str, scope: str) -> bool:
    """Whether `name` lies in `scope`; the empty scope holds everything.

    >>> in_scope('SE1/conv/weights', 'SE1'), in_scope('SE10/conv/weights', 'SE1')
    (True, False)
    >>> in_scope('net/SE1/conv', 'SE1/')
    True
    """
    wanted = scope.strip('/')
    return not wanted or f'/{wanted}/' in f'/{name}/'


def parent_scope(name: str) -> str:
    """The scope that holds `name`.

    >>> parent_scope('net/conv/weights')
    'net/conv'
    """
    return name.rpartition('/')[0]


def common_scope(names: Iterable[str]) -> str:
    """The innermost scope that holds all names.

    >>> common_scope(['net/b1/expand/w', 'net/b1/project/w'])
    'net/b1'
    """
    parts = [name.split('/')[:-1] for name in names]
    return '/'.join(os.path.commonprefix(parts))


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> List[str]:
    """Up to `count` candidates that look like `name`, most similar first."""
    return difflib.get_close_matches(name, list(candidates), n=count, cutoff=0.3)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A sentence that offers the nearest names, or says that there are none.

    >>> did_you_mean('outptu', ['output', 'input'])
    "Nearest names: 'output', 'input'."
    """
    found = nearest(name, candidates)
    if not found:
        return 'No name comes near it.'
    return f'Nearest names: {quoted(found)}.'


def quoted(names: Sequence[str], limit: int = 10) -> str:
    """Names in quotes, separated by commas, cut after `limit`.

    >>> quoted(['a', 'b', 'c'], limit=2)
    "'a', 'b' and 1 more"
    """
    text = ', '.join(repr(name) for name in names[:limit])
    rest = len(names) - limit
    return f'{text} and {rest} more' if rest > 0 else text
