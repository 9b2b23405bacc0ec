"""Finds the ops that update moving statistics, and those that nothing runs."""

from __future__ import annotations

from typing import Dict, Iterable, List

import tensorflow.compat.v1 as tf

from tf1pruning.graph import view as view_lib
from tf1pruning.graph import walk
from tf1pruning.graph.inference.batch_norm import ASSIGN_OPS, variable_behind


def never_run(graph_def: tf.GraphDef, statistics: Iterable[str]) -> List[str]:
    """The updates of variables that no other op waits for, in graph order.

    They do not run unless a session names them. What sets a variable without reading it
    is no update.

    Args:
      graph_def: of a training.
      statistics: nodes of the variables.
    """
    view, wanted = view_lib.GraphView(graph_def), set(statistics)
    waiting: Dict[str, List[str]] = {}
    for node in graph_def.node:
        for name in view_lib.input_names(node):
            waiting.setdefault(name, []).append(node.name)
    return [
        node.name
        for node in graph_def.node
        if node.op in ASSIGN_OPS
        and variable_behind(view, node.input[0]) in wanted
        and _is_update(view, node)
        and not _is_awaited(view, node.name, waiting)
    ]


def _is_update(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    """Whether an assignment is no initializer and does not restore a variable."""
    if node.op in ('Assign', 'AssignVariableOp'):
        variable = variable_behind(view, node.input[0])
        value = view.refs(node)[1].node
        return any(each.name == variable for each in view.before([value]))
    return True


def _is_awaited(
    view: view_lib.GraphView, name: str, waiting: Dict[str, List[str]]
) -> bool:
    """Whether anything but a plain read comes after a node."""
    after = walk.reached([name], lambda each: waiting.get(each, []))
    return any(
        view.node(each).op not in view_lib.READ_OPS for each in after if each != name
    )
