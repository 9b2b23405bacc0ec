"""Random ops, and the same graph with random numbers that can be drawn again."""

from __future__ import annotations

import zlib
from typing import Iterable, List

import tensorflow.compat.v1 as tf

# Only ops that draw have it.
_SECOND_SEED = 'seed2'
_TURNS = 'parallel_iterations'


def is_random(node: tf.NodeDef) -> bool:
    """Whether a node draws other numbers in every session: it has two seeds."""
    return _SECOND_SEED in node.attr


def random_nodes(graph_def: tf.GraphDef) -> List[str]:
    """Names of the random nodes of a graph, and of the functions that have some."""
    found = [node.name for node in graph_def.node if is_random(node)]
    for function in graph_def.library.function:
        if any(is_random(node) for node in function.node_def):
            found.append(function.signature.name)
    return found


def seeded(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The graph with seeds that are made of the names of its nodes.

    So a fresh session draws the same numbers for nodes of the same names, whatever the
    rest of the graph is. Without random nodes it is the graph itself.
    """
    if not random_nodes(graph_def):
        return graph_def
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    _seed(result.node)
    for function in result.library.function:
        _seed(function.node_def)
    return result


def _seed(nodes: Iterable[tf.NodeDef]) -> None:
    for node in nodes:
        if _TURNS in node.attr:
            # Turns of a loop that run together draw in any order.
            node.attr[_TURNS].i = 1
        if is_random(node):
            number = zlib.crc32(node.name.encode())
            node.attr['seed'].i = node.attr[_SECOND_SEED].i = number
            if 'deterministic' in node.attr:
                node.attr['deterministic'].b = True
