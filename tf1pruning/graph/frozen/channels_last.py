"""Rewrites graphs for processors that have channels-last kernels only.

TensorFlow convolves and pools `NCHW` and `NCDHW` tensors on GPUs only. Here each such
op becomes its channels-last twin between two transposes, so that a network that was
trained on a GPU also runs where there is none. The values are the same.
"""

from __future__ import annotations

import itertools
from typing import Dict, List, Set

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib

# Op type -> number of the input that holds the channels.
_DATA_INPUT = {
    'Conv2D': 0,
    'Conv3D': 0,
    'DepthwiseConv2dNative': 0,
    'Conv2DBackpropInput': 2,
    'Conv3DBackpropInputV2': 2,
    'MaxPool': 0,
    'MaxPool3D': 0,
    'AvgPool': 0,
    'AvgPool3D': 0,
    'DepthToSpace': 0,
    'SpaceToDepth': 0,
    # Their gradients. The other outputs are read in training only.
    'FusedBatchNorm': 0,
    'FusedBatchNormV2': 0,
    'FusedBatchNormV3': 0,
}
# Ops whose first input is the shape of their output.
_SIZES_FIRST = ('Conv2DBackpropInput', 'Conv3DBackpropInputV2')
_LAST: Dict[bytes, bytes] = {b'NCHW': b'NHWC', b'NCDHW': b'NDHWC'}
# Attribute -> how many numbers it has for each axis.
_PER_AXIS = {'strides': 1, 'dilations': 1, 'ksize': 1, 'explicit_paddings': 2}


def has_channels_first(graph_def: tf.GraphDef) -> bool:
    """Whether a graph runs on GPUs only."""
    return any(_is_channels_first(node) for node in graph_def.node)


def _is_channels_first(node: tf.NodeDef) -> bool:
    return node.op in _DATA_INPUT and view_lib.attribute(node, 'data_format').s in _LAST


def channels_last(graph_def: tf.GraphDef) -> tf.GraphDef:
    """A graph with the same names and values, without channels-first kernels."""
    if not has_channels_first(graph_def):
        return graph_def
    taken = {node.name for node in graph_def.node}
    found = (
        _twin(node, taken) if _is_channels_first(node) else [node]
        for node in graph_def.node
    )
    return nodes.with_nodes(graph_def, itertools.chain.from_iterable(found))


def _twin(node: tf.NodeDef, taken: Set[str]) -> List[tf.NodeDef]:
    """The op between two transposes; the last node has its name.

    Args:
      node: the op.
      taken: names of the graph; those of the new nodes are added.
    """

    def free(part: str) -> str:
        return names.claim(f'{node.name}/{part}', taken)

    rank = len(node.attr['data_format'].s)
    last, first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    to_last = nodes.constant(free('to_last'), last, tf.int32)
    to_first = nodes.constant(free('to_first'), first, tf.int32)
    types = {'T': tf.as_dtype(node.attr['T'].type), 'Tperm': tf.int32}
    twin = _channels_last_op(node, free('channels_last'), last)
    position = _DATA_INPUT[node.op]
    inputs = [node.input[position], to_last.name]
    before = nodes.make_node(free('input'), 'Transpose', inputs, **types)
    twin.input[position] = before.name
    made = [to_last, to_first, before]
    if node.op in _SIZES_FIRST:
        inputs = [node.input[0], to_last.name]
        integers = {'Tparams': tf.int32, 'Tindices': tf.int32}
        sizes = nodes.make_node(free('output_sizes'), 'Gather', inputs, **integers)
        twin.input[0] = sizes.name
        made.append(sizes)
    inputs = [twin.name, to_first.name]
    return [*made, twin, nodes.make_node(node.name, 'Transpose', inputs, **types)]


def _channels_last_op(node: tf.NodeDef, name: str, axes: List[int]) -> tf.NodeDef:
    """The op with its attributes permuted."""
    twin = nodes.copied(node)
    twin.name = name
    twin.attr.pop(nodes.OUTPUT_SHAPES, None)
    twin.attr['data_format'].s = _LAST[node.attr['data_format'].s]
    for attribute, per_axis in _PER_AXIS.items():
        numbers = view_lib.attribute(node, attribute).list.i
        if numbers:
            rows = np.reshape(numbers, [-1, per_axis])[axes]
            twin.attr[attribute].list.i[:] = rows.ravel().tolist()
    return twin
