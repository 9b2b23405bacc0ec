"""Nodes beside which others are to run: the attribute `_class` names them, `loc:@node`.

TensorFlow refuses a graph that names a node which it does not hold.
"""

from __future__ import annotations

from typing import Iterator, List, Tuple

import tensorflow.compat.v1 as tf

ATTRIBUTE = '_class'
_PREFIX = b'loc:@'


def drop_lost(graph_def: tf.GraphDef) -> None:
    """Drops from a graph, in place, the places at nodes that it does not hold."""
    for node, kept in _lost(graph_def):
        node.attr[ATTRIBUTE].list.s[:] = kept
        if not kept:
            del node.attr[ATTRIBUTE]


def _lost(graph_def: tf.GraphDef) -> Iterator[Tuple[tf.NodeDef, List[bytes]]]:
    """The nodes with places at nodes that are gone, and the places that are not."""
    placed = [node for node in graph_def.node if ATTRIBUTE in node.attr]
    if not placed:
        return
    present = {_PREFIX + node.name.encode() for node in graph_def.node}
    for node in placed:
        places = node.attr[ATTRIBUTE].list.s
        kept = [p for p in places if p in present or not p.startswith(_PREFIX)]
        if len(kept) < len(places):
            yield node, kept
