"""Finds the variables that optimizers divide by, which must never be zero.

Adagrad and its kin divide by sums of squared gradients with nothing added: with a sum
of zero, a gradient of zero is 0 / 0. The op that reads a sum tells that it is one,
whatever the user called the optimizer.
"""

from __future__ import annotations

from typing import FrozenSet

import tensorflow.compat.v1 as tf

from tf1pruning.graph import variables as variables_lib
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference.batch_norm import variable_behind
from tf1pruning.optimizer_names import SUMS

# Op type -> position of the input that holds the sums.
DIVISORS = {
    f'{kind}Apply{name}': position
    for kind in ('', 'Sparse', 'Resource', 'ResourceSparse')
    for name, (position, _) in SUMS.items()
}


def divisors(meta_graph: tf.MetaGraphDef) -> FrozenSet[str]:
    """Checkpoint keys of the sums that the optimizers of a graph divide by.

    Raises:
      GraphError: if a collection of variables is damaged.
    """
    graph_def = meta_graph.graph_def
    readers = [node for node in graph_def.node if node.op in DIVISORS]
    if not readers:
        return frozenset()
    view = view_lib.GraphView(graph_def)
    sums = {variable_behind(view, node.input[DIVISORS[node.op]]) for node in readers}
    known = variables_lib.definitions(meta_graph)
    nodes = [view.node(name) for name in sorted(sums)]
    return frozenset(v.key for v in variables_lib.find_variables(nodes, known, {}))
