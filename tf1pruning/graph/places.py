"""Nodes beside which others are to run: the attribute `_class` names them, `loc:@node`.

TensorFlow refuses a graph that names a node which it does not hold.
"""

from __future__ import annotations

from typing import Collection, Iterator, List, Tuple

import tensorflow.compat.v1 as tf

ATTRIBUTE = '_class'
_PREFIX = b'loc:@'


def drop_lost(graph_def: tf.GraphDef) -> None:
    """Drops from a graph, in place, the places at nodes that it does not hold."""
    for node, kept in _lost(graph_def):
        node.attr[ATTRIBUTE].list.s[:] = kept
        if not kept:
            del node.attr[ATTRIBUTE]


def has_lost(graph_def: tf.GraphDef) -> bool:
    """Whether a graph names places at nodes that it does not hold."""
    return any(True for _ in _lost(graph_def))


def _lost(graph_def: tf.GraphDef) -> Iterator[Tuple[tf.NodeDef, List[bytes]]]:
    """The nodes with places at nodes that are gone, and the places that are not."""
    placed = [node for node in graph_def.node if ATTRIBUTE in node.attr]
    present = {node.name for node in graph_def.node} if placed else set()
    for node in placed:
        places = node.attr[ATTRIBUTE].list.s
        kept = [place for place in places if _is_kept(place, present)]
        if len(kept) < len(places):
            yield node, kept


def _is_kept(place: bytes, present: Collection[str]) -> bool:
    is_place = place.startswith(_PREFIX)
    return not is_place or place[len(_PREFIX) :].decode('utf-8', 'replace') in present
