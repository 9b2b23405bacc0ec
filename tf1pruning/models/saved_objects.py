"""Which objects of a SavedModel the variables of its graph are.

TensorFlow 2 loads a SavedModel by its objects: each function knows which of them it
captured, in the order in which a call of it has them. Names do not say that: variables
of several objects may have the same one, and Keras 3 has nodes for copies of them.
"""

from __future__ import annotations

from typing import Dict, Optional

import tensorflow.compat.v1 as tf

from tf1pruning.ckpt.objects import SavedObjects
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.variables import VARIABLE_OPS


def saved_objects(meta_graph: tf.MetaGraphDef) -> Optional[SavedObjects]:
    """The objects of a SavedModel; None if it was written without them."""
    graph = meta_graph.object_graph_def
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    numbers: Dict[str, int] = {}
    for node in meta_graph.graph_def.node:
        callee = node.attr['f'].func.name if 'f' in node.attr else ''
        if callee not in graph.concrete_functions:
            continue
        captured = graph.concrete_functions[callee].bound_inputs
        inputs = view_lib.data_inputs(node)[-len(captured) :] if captured else []
        for ref, number in zip(inputs, captured):
            if ref.node in nodes and nodes[ref.node].op in VARIABLE_OPS:
                numbers[ref.node] = number
    return SavedObjects(graph, numbers) if graph.nodes else None
