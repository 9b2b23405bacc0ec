"""The same graph for processors that have channels-last kernels only.

TensorFlow convolves and pools `NCHW` and `NCDHW` tensors on GPUs only. Here each such
op becomes its channels-last twin between two transposes, so that a network that was
trained on a GPU also runs where there is none. The values are the same.
"""

from __future__ import annotations

import itertools
from typing import Dict, List, Sequence, Set

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
    """A graph of the same tensors and names, without channels-first kernels.

    It is the graph itself, if that has none.
    """
    if not has_channels_first(graph_def):
        return graph_def
    taken = {node.name for node in graph_def.node}
    found = (
        _Twin(node, taken).nodes() if _is_channels_first(node) else [node]
        for node in graph_def.node
    )
    return nodes.with_nodes(graph_def, itertools.chain.from_iterable(found))


class _Twin:
    """The nodes that take the place of a channels-first op.

    Args:
      node: the op.
      taken: names of the graph; those of the new nodes are added.
    """

    def __init__(self, node: tf.NodeDef, taken: Set[str]):
        self._node = node
        self._taken = taken
        self._made: List[tf.NodeDef] = []
        self._format: bytes = node.attr['data_format'].s
        self._dtype = tf.as_dtype(node.attr['T'].type)
        rank = len(self._format)
        self._to_last = [0, *range(2, rank), 1]
        self._to_first = [0, rank - 1, *range(1, rank - 1)]

    def nodes(self) -> List[tf.NodeDef]:
        """The op between two transposes; the last node has its name."""
        node = self._node
        to_last = self._permutation('to_last', self._to_last)
        to_first = self._permutation('to_first', self._to_first)
        twin = self._channels_last_op()
        position = _DATA_INPUT[node.op]
        before = self._name('input')
        self._transpose(before, node.input[position], to_last)
        twin.input[position] = before
        if node.op in _SIZES_FIRST:
            twin.input[0] = self._permuted_sizes(node.input[0], to_last)
        self._made.append(twin)
        self._transpose(node.name, twin.name, to_first)
        return self._made

    def _name(self, part: str) -> str:
        return names.claim(f'{self._node.name}/{part}', self._taken)

    def _permutation(self, part: str, axes: Sequence[int]) -> str:
        node = nodes.constant(self._name(part), axes, tf.int32)
        self._made.append(node)
        return node.name

    def _transpose(self, name: str, source: str, axes: str) -> None:
        types = {'T': self._dtype, 'Tperm': tf.int32}
        self._made.append(nodes.make_node(name, 'Transpose', [source, axes], **types))

    def _permuted_sizes(self, source: str, axes: str) -> str:
        types = {'Tparams': tf.int32, 'Tindices': tf.int32}
        name = self._name('output_sizes')
        self._made.append(nodes.make_node(name, 'Gather', [source, axes], **types))
        return name

    def _channels_last_op(self) -> tf.NodeDef:
        twin = nodes.copied(self._node)
        twin.name = self._name('channels_last')
        twin.attr.pop(view_lib.OUTPUT_SHAPES, None)
        twin.attr['data_format'].s = _LAST[self._format]
        for attribute, per_axis in _PER_AXIS.items():
            numbers = view_lib.attribute(self._node, attribute).list.i
            if numbers:
                rows = np.reshape(numbers, [-1, per_axis])[self._to_last]
                twin.attr[attribute].list.i[:] = rows.ravel().tolist()
        return twin
