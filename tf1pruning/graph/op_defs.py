"""The definitions of ops: their arguments and attributes, with defaults.

There is no public list of ops. But TensorFlow writes the definitions of the ops of a
graph into a meta graph; nothing is imported or run for that.
"""

from __future__ import annotations

import functools
from typing import Dict, Iterable, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import op_def_pb2

OpDefs = Dict[str, op_def_pb2.OpDef]


def op_defs(ops: Iterable[str]) -> OpDefs:
    """Op type -> its definition; without the ops that TensorFlow does not know."""
    return _op_defs(tuple(sorted(set(ops))))


# A graph that is read asks more than once.
@functools.lru_cache(maxsize=8)
def _op_defs(wanted: Tuple[str, ...]) -> OpDefs:
    graph_def = tf.GraphDef()
    for op in wanted:
        graph_def.node.add(name=op, op=op)
    try:
        meta_graph = tf.train.export_meta_graph(graph_def=graph_def, graph=tf.Graph())
    except ValueError:
        # Some op is not registered; the message names only the first.
        half = len(wanted) // 2
        return {**_op_defs(wanted[:half]), **_op_defs(wanted[half:])} if half else {}
    return {op.name: op for op in meta_graph.meta_info_def.stripped_op_list.op}
