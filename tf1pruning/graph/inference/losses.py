"""Finds the losses of a training graph, without terms that look at weights alone."""

from __future__ import annotations

from typing import List

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph import walk
from tf1pruning.graph.meta_graphs import meta_graph as meta_graph_lib
from tf1pruning.graph.nodes import INPUT_OPS
from tf1pruning.graph.pipelines import PIPELINE_OPS
from tf1pruning.names import TensorRef

_SCALAR_ARITHMETIC = frozenset(
    ('Add', 'AddN', 'AddV2', 'Div', 'Identity', 'Mul', 'RealDiv')
)


def data_losses(meta_graph: tf.MetaGraphDef) -> List[str]:
    """Nodes of the loss terms that depend on data.

    An Estimator puts the total loss into `tf.GraphKeys.LOSSES`, with the weight decay
    in it. Every layer lies before a term that depends on data; a term that does not
    would only make each kernel look as if something else read it.

    Args:
      meta_graph: of a training graph.

    Returns:
      Node names, each once; empty if the graph has no losses.
    """
    view = view_lib.GraphView(meta_graph.graph_def)
    collected = meta_graph_lib.members(meta_graph, tf.GraphKeys.LOSSES)
    starts = [names.node_name(name) for name in collected]

    def is_sum(name: str) -> bool:
        is_scalar = view.shape(TensorRef(name, 0)) == ()
        return is_scalar and view.node(name).op in _SCALAR_ARITHMETIC

    def terms(name: str) -> List[str]:
        refs = view.refs(view.node(name)) if is_sum(name) else ()
        return [ref.node for ref in refs if _depends_on_data(view, ref.node)]

    found = walk.reached([n for n in starts if _depends_on_data(view, n)], terms)
    return [name for name in found if not is_sum(name)]


def _depends_on_data(view: view_lib.GraphView, name: str) -> bool:
    return any(
        node.op in PIPELINE_OPS or node.op in INPUT_OPS
        for node in view.ancestors([name])
    )


def only_loss(meta_graph: tf.MetaGraphDef) -> str:
    """The name of the loss of a training graph, if it has but one.

    Raises:
      GraphError: if it has none or several; names them.
    """
    collected = meta_graph_lib.members(meta_graph, tf.GraphKeys.LOSSES)
    found = list(dict.fromkeys(names.node_name(name) for name in collected))
    if len(found) != 1:
        listed = f'{len(found)} losses: {names.quoted(found)}'
        raise GraphError(
            f'The graph has {listed if found else "no collection of losses"}. Name the '
            'loss tensor, a scalar that the training graph minimizes.',
            options=('loss',),
        )
    return found[0]
