"""Ops on references, in graphs whose variables became constants.

`RefSwitch` and its kin hand on a reference to a variable, and TensorFlow refuses to
give them a value. Whoever freezes a graph may leave them in, and assignments, too.
"""

from __future__ import annotations

from typing import Collection, Dict, Iterable, List, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import nodes, op_defs, walk
from tf1pruning.names import op_types

_PREFIX = 'Ref'
HAND_ON = op_types('RefEnter RefExit RefIdentity RefMerge RefNextIteration RefSwitch')
_ASSIGNMENTS = op_types('Assign AssignAdd AssignSub')


def on_values(graph_def: tf.GraphDef, ops: Collection[str] = HAND_ON) -> Set[str]:
    """Names of the nodes of some types that take references, but are given values."""
    taking = [node for node in graph_def.node if node.op in ops or node.op in HAND_ON]
    if not taking:
        return set()
    readers: Dict[str, List[str]] = {}
    for node in taking:
        for name in node.input:
            if not names.is_control(name):
                readers.setdefault(names.node_name(name), []).append(node.name)
    taken = {node.name for node in taking}
    sources = (n for n in graph_def.node if n.name in readers and n.name not in taken)
    given = set(walk.reached(_makers(sources), lambda name: readers.get(name, [])))
    return {node.name for node in taking if node.op in ops} - given


def _makers(sources: Iterable[tf.NodeDef]) -> List[str]:
    """The nodes that make references, as variables do."""
    ops = {node.name: node.op for node in sources}
    known = op_defs.op_defs(ops.values())
    return [
        name
        for name, op in ops.items()
        if op in known and any(arg.is_ref for arg in known[op].output_arg)
    ]


def make_plain(node: tf.NodeDef) -> None:
    """Turns a node that hands on references, in place, into one for values."""
    node.op = node.op[len(_PREFIX) :]


def without_assignments(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The graph with the value that is assigned in the place of assignments to values.

    They cannot be, but shapes are right. Without any, it is the graph itself.
    """
    found = on_values(graph_def, _ASSIGNMENTS)
    if not found:
        return graph_def
    left = (_assigned(n) if n.name in found else n for n in graph_def.node)
    return nodes.with_nodes(graph_def, left)


def _assigned(node: tf.NodeDef) -> tf.NodeDef:
    dtype = tf.as_dtype(node.attr['T'].type)
    return nodes.make_node(node.name, 'Identity', [node.input[1]], T=dtype)
