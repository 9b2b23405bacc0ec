"""Finds the functions of a graph, and which of them its nodes call."""

from __future__ import annotations

from typing import Iterable, Iterator, List, Mapping, Optional, Set

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import function_pb2

from tf1pruning.graph import walk

Functions = Mapping[str, function_pb2.FunctionDef]


def by_name(graph_def: tf.GraphDef) -> Functions:
    """The functions of a graph."""
    return {f.signature.name: f for f in graph_def.library.function}


def called(
    nodes: Iterable[tf.NodeDef],
    functions: Functions,
    seen: Optional[Set[str]] = None,
) -> Iterator[str]:
    """Names of the functions that nodes name, directly or through others.

    Args:
      nodes: of a graph.
      functions: of the graph.
      seen: names that are left out, and to which those found are added.
    """
    known = set() if seen is None else seen

    def new(nodes: Iterable[tf.NodeDef]) -> List[str]:
        return [name for name in calls(nodes, functions) if name not in known]

    def inside(name: str) -> List[str]:
        known.add(name)
        return new(functions[name].node_def)

    return walk.reached(new(nodes), inside)


def calls(nodes: Iterable[tf.NodeDef], functions: Functions) -> List[str]:
    """Names of the functions that nodes name themselves, once for each time."""
    found = [name for node in nodes for name in _named(node)] if functions else []
    return [name for name in found if name in functions]


def _named(node: tf.NodeDef) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        for function in value.list.func:
            yield function.name


def used_library(graph_def: tf.GraphDef) -> function_pb2.FunctionDefLibrary:
    """The functions that the nodes of a graph name, directly or through others."""
    used = set(called(graph_def.node, by_name(graph_def)))
    library = function_pb2.FunctionDefLibrary()
    kept = (f for f in graph_def.library.function if f.signature.name in used)
    library.function.extend(kept)
    gradients = graph_def.library.gradient
    library.gradient.extend(g for g in gradients if g.function_name in used)
    return library
