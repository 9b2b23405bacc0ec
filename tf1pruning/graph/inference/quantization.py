"""Quantization-aware training: its delay is taken to be over, as in evaluation.

The training graph counts its steps in a variable, and rounds nothing before a certain
step, or takes the statistics of a batch norm that it folds from the batch. What the
training works towards, and what its evaluation graph computes, is the other branch.
"""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference.batch_norm import variable_behind
from tf1pruning.graph.inference_graph import Flag

_ROUNDING = 'FakeQuant'


def without_delay(graph_def: tf.GraphDef) -> Tuple[tf.GraphDef, Tuple[Flag, ...]]:
    """The graph in which the delay is over, and the counters that were compared.

    Args:
      graph_def: the graph; not changed, and returned if nothing in it is rounded.
    """
    if not any(node.op.startswith(_ROUNDING) for node in graph_def.node):
        return graph_def, ()
    view = view_lib.GraphView(graph_def)
    found: Dict[str, str] = {}
    for node in view:
        counter = _counter(view, node)
        if counter is not None:
            found[node.name] = counter
    if not found:
        return graph_def, ()
    left = (
        nodes.constant(node.name, True, tf.bool) if node.name in found else node
        for node in view
    )
    flags = (Flag(n, True, is_training=True) for n in dict.fromkeys(found.values()))
    return nodes.with_nodes(graph_def, left), tuple(flags)


def _counter(view: view_lib.GraphView, node: tf.NodeDef) -> Optional[str]:
    """The variable whose new count a node compares with a constant, if it does."""
    if node.op != 'GreaterEqual':
        return None
    count, limit = (view.behind_reads(each) for each in view.inputs(node))
    is_count = count.op == 'AssignAdd' and limit.op == 'Const'
    return variable_behind(view, count.input[0]) if is_count else None
