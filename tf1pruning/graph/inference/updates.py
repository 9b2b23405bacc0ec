"""Finds the ops that update moving statistics, and those that nothing runs."""

from __future__ import annotations

from typing import Dict, Iterable, List, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import view as view_lib
from tf1pruning.graph import walk
from tf1pruning.graph.inference.batch_norm import ASSIGN_OPS, variable_behind


def never_run(view: view_lib.GraphView, statistics: Iterable[str]) -> List[str]:
    """The updates of variables that no other op waits for, in graph order.

    They do not run unless a session names them. What sets a variable without reading it
    is no update.

    Args:
      view: of the graph of a training.
      statistics: nodes of the variables.
    """
    graph_def, wanted = view.graph_def, set(statistics)
    found = [
        node.name
        for node in graph_def.node
        if node.op in ASSIGN_OPS
        and variable_behind(view, node.input[0]) in wanted
        and _is_update(view, node)
    ]
    if _is_awaited_at_once(graph_def, found):
        return []
    awaited = _awaited(graph_def)
    return [name for name in found if name not in awaited]


def _is_update(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    """Whether an assignment is no initializer and does not restore a variable."""
    if node.op in ('Assign', 'AssignVariableOp'):
        variable = variable_behind(view, node.input[0])
        value = view.refs(node)[1].node
        return any(each.name == variable for each in view.before([value]))
    return True


def _is_awaited_at_once(graph_def: tf.GraphDef, updates: Iterable[str]) -> bool:
    """Whether ops that are no plain reads wait for all of some nodes.

    In most trainings one of the first gradients waits for all updates, and so do
    hundreds more, which take long to look through.
    """
    left = {f'^{name}' for name in updates}
    for node in graph_def.node:
        if not left:
            break
        if node.op not in view_lib.READ_OPS:
            left.difference_update(node.input)
    return not left


def _awaited(graph_def: tf.GraphDef) -> Set[str]:
    """The nodes after which comes anything but plain reads of them."""
    reads: Dict[str, tf.NodeDef] = {}
    inputs: Set[str] = set()
    for node in graph_def.node:
        if node.op in view_lib.READ_OPS:
            reads[node.name] = node
        else:
            inputs.update(node.input)

    def read(name: str) -> List[str]:
        return view_lib.input_names(reads[name]) if name in reads else []

    return set(walk.reached(map(names.node_name, inputs), read))
