"""Finds the integer inputs that are indices of a table, and its number of rows."""

from __future__ import annotations

from typing import Dict, Iterator, Optional

import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib

_GATHERS = ('Gather', 'GatherV2')
_INDICES = 1


def rows_of_inputs(graph_def: tf.GraphDef) -> Dict[str, int]:
    """Integer input -> rows of the smallest table that it chooses from.

    Args:
      graph_def: a frozen graph, whose tables are constants.
    """
    view = view_lib.GraphView(graph_def)
    found = {}
    for node in graph_def.node:
        dtype = tf.as_dtype(view_lib.attribute(node, 'dtype').type or tf.float32)
        if node.op in nodes.INPUT_OPS and dtype.is_integer:
            rows = [r for r in _tables(view, node.name) if r is not None]
            if rows:
                found[node.name] = min(rows)
    return found


def _tables(view: view_lib.GraphView, name: str) -> Iterator[Optional[int]]:
    """Rows of the first tables behind a node; None where they are not known."""
    for edge in view.edges_behind([name], lambda edge: edge.node.op not in _GATHERS):
        if edge.node.op in _GATHERS and edge.position == _INDICES:
            yield _rows(view, edge.node)


def _rows(view: view_lib.GraphView, gather: tf.NodeDef) -> Optional[int]:
    table, _, *axes = view.inputs(gather)
    table = view.behind_reads(table)
    if any(node.op != 'Const' for node in (table, *axes)):
        return None
    axis = int(nodes.constant_value(axes[0])) if axes else 0
    sizes = table.attr['value'].tensor.tensor_shape.dim
    return sizes[axis].size if -len(sizes) <= axis < len(sizes) else None
