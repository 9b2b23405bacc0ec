"""Turns graphs of other float types into graphs of 32-bit floats.

NumPy does not calculate with bfloat16, a CPU has few kernels for it, and the rounding
of 16-bit floats hides differences that are to be measured.
"""

from __future__ import annotations

from typing import Collection

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes

_HALF = (tf.float16, tf.bfloat16)


def is_half(dtype: tf.DType) -> bool:
    """Whether a type is one of the 16-bit floats."""
    return dtype in _HALF


def fits_half(values: np.ndarray, dtype: tf.DType) -> np.ndarray:
    """Where a cast to a 16-bit float changes nothing."""
    single = np.asarray(values, np.float32)
    if dtype == tf.float16:
        cast = single.astype(np.float16).astype(np.float32)
    else:
        # The upper half of the bits.
        cast = (single.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return cast == values


def has_half(graph_def: tf.GraphDef) -> bool:
    """Whether a graph has 16-bit floats."""
    return _has(graph_def, _HALF)


def widened(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The graph with 32-bit floats in the place of 16-bit ones."""
    return _single(graph_def, _HALF)


def single(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The graph with 32-bit floats in the place of all others."""
    return _single(graph_def, (*_HALF, tf.float64))


def _single(graph_def: tf.GraphDef, dtypes: Collection[tf.DType]) -> tf.GraphDef:
    if not _has(graph_def, dtypes):
        return graph_def
    enums = {dtype.as_datatype_enum for dtype in dtypes}
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    for node in result.node:
        if node.op == 'Const' and node.attr['dtype'].type in enums:
            value = np.asarray(nodes.constant_value(node), np.float32)
            node.CopyFrom(nodes.array_constant(node.name, value))
        for attr in node.attr.values():
            if attr.type in enums:
                attr.type = tf.float32.as_datatype_enum
            for position, dtype in enumerate(attr.list.type):
                if dtype in enums:
                    attr.list.type[position] = tf.float32.as_datatype_enum
    return result


def _has(graph_def: tf.GraphDef, dtypes: Collection[tf.DType]) -> bool:
    enums = {dtype.as_datatype_enum for dtype in dtypes}
    return any(
        attr.type in enums or any(dtype in enums for dtype in attr.list.type)
        for node in graph_def.node
        for attr in node.attr.values()
    )
