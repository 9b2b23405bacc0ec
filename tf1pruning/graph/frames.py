"""Finds the nodes that run inside a loop or a branch of TensorFlow 1's control flow.

A constant there has only a control input to tie it to its loop or branch. Those control
inputs are part of the network; all others order side effects.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Set, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import walk

_LOOP_ENTRIES, _LOOP_EXITS = ('Enter', 'RefEnter'), ('Exit', 'RefExit')
_ENTRIES = (*_LOOP_ENTRIES, 'Switch', 'RefSwitch')
MERGES = ('Merge', 'RefMerge')
_EXITS = (*_LOOP_EXITS, *MERGES)
TURNS = ('NextIteration', 'RefNextIteration')


def nodes_inside(graph_def: tf.GraphDef) -> Set[str]:
    """Names of the nodes between the entries and the exits of loops and branches."""
    entries = [node.name for node in graph_def.node if node.op in _ENTRIES]
    if not entries:
        return set()
    turning = {n.name for n in graph_def.node if n.op in TURNS}
    readers: Dict[str, List[str]] = {}
    for node in graph_def.node:
        if not _leaves(node, turning):
            for name in node.input:
                readers.setdefault(names.node_name(name), []).append(node.name)
    return set(walk.reached(entries, lambda name: readers.get(name, [])))


def loops_around(ordered: Iterable[tf.NodeDef]) -> Dict[str, Tuple[str, ...]]:
    """Node in a loop -> the frames of the loops around it, from the outermost one.

    Args:
      ordered: nodes, each after its inputs but for those of the next turn.
    """
    found: Dict[str, Tuple[str, ...]] = {}
    for node in ordered:
        sources = map(names.node_name, node.input)
        around = max((found.get(each, ()) for each in sources), key=len, default=())
        if node.op in _LOOP_ENTRIES:
            around = (*around, node.attr['frame_name'].s.decode())
        elif node.op in _LOOP_EXITS:
            around = around[:-1]
        if around:
            found[node.name] = around
    return found


def inputs_first(
    targets: Iterable[str], find: Callable[[str], tf.NodeDef], inside: Set[str]
) -> List[tf.NodeDef]:
    """Nodes and what they need, each after its inputs.

    Of a loop, what makes the values of the next turn comes last.

    Args:
      targets: names of the nodes.
      find: node by name; raises on an unknown one.
      inside: names of the nodes inside loops and branches.

    Raises:
      GraphError: on an unknown name, or a cycle that is no loop.
    """
    order: Dict[str, tf.NodeDef] = {}
    later = list(targets)
    opened: Set[str] = set()

    def needed(name: str) -> List[str]:
        node, found = find(name), []
        may_turn = node.op in MERGES
        opened.add(name)
        for each in node.input:
            source = names.node_name(each)
            if names.is_control(each) and source not in inside:
                continue
            if may_turn and find(source).op in TURNS:
                later.append(source)
            elif source not in order:
                if source in opened:
                    raise GraphError(
                        f'Nodes {source!r} and {name!r} lie on a cycle that is no loop '
                        'of tf.while_loop. The graph is damaged.'
                    )
                found.append(source)
        return found

    while later:
        starts = [name for name in later if name not in order]
        later.clear()
        for name in walk.leaves_first(starts, needed):
            order[name] = find(name)
    return list(order.values())


def _leaves(node: tf.NodeDef, turning: Set[str]) -> bool:
    """Whether a loop or a branch ends here; a Merge that begins a turn does not."""
    return node.op in _EXITS and not any(
        names.node_name(name) in turning for name in node.input
    )
