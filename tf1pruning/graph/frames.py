"""Which nodes run inside a loop or a branch of TensorFlow 1's control flow.

There a constant has no data input that ties it to its loop or branch, only a control
input. Those control inputs are part of the network; all others order side effects.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError

_ENTRIES = ('Enter', 'RefEnter', 'Switch', 'RefSwitch')
_EXITS = ('Exit', 'RefExit', 'Merge', 'RefMerge')
_TURNS = ('NextIteration', 'RefNextIteration')


def nodes_inside(graph_def: tf.GraphDef) -> Set[str]:
    """Names of the nodes between the entries and the exits of loops and branches."""
    inside: Set[str] = set()
    stack = [node for node in graph_def.node if node.op in _ENTRIES]
    if not stack:
        return inside
    readers: Dict[str, List[tf.NodeDef]] = {}
    for node in graph_def.node:
        for name in node.input:
            readers.setdefault(names.node_name(name), []).append(node)
    turning = {n.name for n in graph_def.node if n.op in _TURNS}
    while stack:
        node = stack.pop()
        if node.name in inside or _leaves(node, turning):
            continue
        inside.add(node.name)
        stack += readers.get(node.name, [])
    return inside


def is_back_edge(reader: tf.NodeDef, source: tf.NodeDef) -> bool:
    """Whether a node reads the last turn of its loop."""
    return reader.op in ('Merge', 'RefMerge') and source.op in _TURNS


class Walk:
    """Goes back from nodes to all that they need.

    Of a loop, what makes the values of the next turn comes last.

    Args:
      find: node by name; raises on an unknown one.
      inside: names of the nodes inside loops and branches.

    Attributes:
      order: the nodes so far, each after its inputs.
    """

    def __init__(self, find: Callable[[str], tf.NodeDef], inside: Set[str]):
        self.order: List[tf.NodeDef] = []
        self._find = find
        self._inside = inside
        self._done: Dict[str, bool] = {}
        self._later: List[str] = []

    def back_from(self, targets: Iterable[str]) -> None:
        """Adds nodes and what they need.

        Raises:
          GraphError: on an unknown name, or a cycle that is no loop.
        """
        self._later = list(targets)
        while self._later:
            stack = [(name, False) for name in reversed(self._later)]
            self._later = []
            while stack:
                name, leaving = stack.pop()
                if leaving:
                    self._done[name] = True
                    self.order.append(self._find(name))
                elif name not in self._done:
                    self._done[name] = False
                    stack.append((name, True))
                    stack += [(child, False) for child in self._open(name)]

    def _open(self, name: str) -> List[str]:
        """What a node needs that has not been visited, last first."""
        needed = self._needs(self._find(name))
        for child in needed:
            if self._done.get(child) is False:
                raise GraphError(
                    f'Nodes {child!r} and {name!r} lie on a cycle that is no loop of '
                    'tf.while_loop. The graph is damaged.'
                )
        return [child for child in reversed(needed) if child not in self._done]

    def _needs(self, node: tf.NodeDef) -> List[str]:
        found = []
        for name in node.input:
            source = names.node_name(name)
            if names.is_control(name) and source not in self._inside:
                continue
            if is_back_edge(node, self._find(source)):
                self._later.append(source)
            else:
                found.append(source)
        return found


def _leaves(node: tf.NodeDef, turning: Set[str]) -> bool:
    """Whether a loop or a branch ends here; a Merge that begins a turn does not."""
    return node.op in _EXITS and not any(
        names.node_name(name) in turning for name in node.input
    )
