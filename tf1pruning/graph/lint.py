"""Checks that a rewritten graph is whole."""

from __future__ import annotations

from typing import Mapping, Optional

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import importing
from tf1pruning.graph import view as view_lib
from tf1pruning.names import op_types

_TABLE_OPS = op_types(
    'AnonymousHashTable HashTable HashTableV2 MutableDenseHashTable '
    'MutableDenseHashTableV2 MutableHashTable MutableHashTableOfTensors '
    'MutableHashTableOfTensorsV2 MutableHashTableV2'
)


def check(
    graph_def: tf.GraphDef,
    outputs: Mapping[str, Optional[view_lib.Shape]],
    imported: Optional[tf.Graph] = None,
) -> None:
    """Checks that a rewritten graph is whole.

    Args:
      graph_def: the graph.
      outputs: output node -> the shape that it must still have.
      imported: the same graph, if TensorFlow has imported it; None: it does so here.

    Raises:
      GraphError: on a repeated name, an input that does not exist, or sizes that do not
        fit together.
    """
    view = view_lib.GraphView(graph_def)
    for node in graph_def.node:
        for name in node.input:
            if names.node_name(name) not in view:
                raise GraphError(f'Node {node.name!r} reads {name!r}, which is gone.')
    graph = imported or importing.import_graph(graph_def)
    for name, shape in outputs.items():
        tensor = graph.get_tensor_by_name(f'{name}:0')
        found = view_lib.shape_from_proto(tensor.shape.as_proto())
        if not view_lib.agree(found, shape):
            raise GraphError(f'Output {name!r} had shape {shape} and now has {found}.')


def check_no_tables(graph_def: tf.GraphDef) -> None:
    """Refuses lookup tables: what a file holds of them is empty.

    Raises:
      GraphError: names all of them.
    """
    found = [n.name for n in graph_def.node if n.op in _TABLE_OPS]
    if found:
        raise GraphError(
            f'The outputs look up in the tables {names.quoted(found)}, whose contents '
            'are set when a session starts, and which the stripped files would lack. '
            'Name outputs before the lookup.'
        )
