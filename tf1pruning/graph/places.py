"""Nodes beside which others are to run: the attribute `_class` names them, `loc:@node`.

TensorFlow refuses a graph that names a node which it does not hold.
"""

from __future__ import annotations

from typing import Collection, List

import tensorflow.compat.v1 as tf

ATTRIBUTE = '_class'
_PREFIX = b'loc:@'


def drop_lost(graph_def: tf.GraphDef) -> None:
    """Drops from a graph, in place, the places at nodes that it does not hold."""
    present = {node.name for node in graph_def.node}
    for node in graph_def.node:
        if ATTRIBUTE not in node.attr:
            continue
        places = node.attr[ATTRIBUTE].list.s
        kept = _kept(places, present)
        if len(kept) < len(places):
            places[:] = kept
            if not kept:
                del node.attr[ATTRIBUTE]


def has_lost(graph_def: tf.GraphDef) -> bool:
    """Whether a graph names places at nodes that it does not hold."""
    present = {node.name for node in graph_def.node}
    named = (n.attr[ATTRIBUTE].list.s for n in graph_def.node if ATTRIBUTE in n.attr)
    return any(len(_kept(places, present)) < len(places) for places in named)


def _kept(places: Collection[bytes], present: Collection[str]) -> List[bytes]:
    return [
        place
        for place in places
        if not place.startswith(_PREFIX)
        or place[len(_PREFIX) :].decode('utf-8', 'replace') in present
    ]
