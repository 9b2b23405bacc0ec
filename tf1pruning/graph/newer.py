"""Drops attributes that ops have in a newer TensorFlow only, where they say nothing.

A newer TensorFlow writes them on every node of such an op, mostly at their default, and
an older one then refuses the graph. Whatever TensorFlow runs, the house has ops as
TensorFlow 1.15 knows them, and so are the files that it writes.
"""

from __future__ import annotations

import itertools
from typing import Collection, Dict, Iterable

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tf1pruning.errors import GraphError
from tf1pruning.graph import op_defs

Values = Dict[str, attr_value_pb2.AttrValue]

_FACTOR = 'exponential_avg_factor'
# They say something to people only.
_NAMES = ('debug_name',)


def _later() -> Dict[str, Values]:
    """Op of TensorFlow 1.15 -> attributes that came later, where they say nothing.

    Those of ops that networks are made of; compared with 2.15.1 and 2.21.0. Input
    pipelines come with a list of their ops, which has the defaults.
    """
    value = attr_value_pb2.AttrValue
    # A list without values, which is not the same as no value.
    nothing = value(list=value.ListValue())
    off, last, none = value(b=False), value(i=-1), value(s=b'')
    int32, float32 = (value(type=t.as_datatype_enum) for t in (tf.int32, tf.float32))
    complex64 = value(type=tf.complex64.as_datatype_enum)
    table: Dict[str, Values] = {
        'AssignVariableOp': {'validate_shape': off},
        'BatchMatMul BatchMatMulV2': {'grad_x': off, 'grad_y': off},
        'CTCGreedyDecoder': {'blank_index': last},
        'ConcatOffset': {'shape_type': int32},
        'DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter '
        'DepthwiseConv2dNativeBackpropInput MaxPool MaxPoolGrad': {
            'explicit_paddings': nothing
        },
        'Dequantize': {'narrow_range': off, 'axis': last, 'dtype': float32},
        'FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3': {_FACTOR: value(f=1.0)},
        'GatherNd ResourceScatterNdAdd ResourceScatterNdSub ResourceScatterNdUpdate '
        'ScatterNd ScatterNdAdd ScatterNdNonAliasingAdd ScatterNdSub ScatterNdUpdate '
        'TensorScatterAdd TensorScatterSub TensorScatterUpdate': {
            'bad_indices_policy': none
        },
        'IRFFT IRFFT2D IRFFT3D RFFT RFFT2D RFFT3D': {
            'Treal': float32,
            'Tcomplex': complex64,
        },
        'MatMul': {'grad_a': off, 'grad_b': off},
        'QuantizeAndDequantizeV2 QuantizeAndDequantizeV3': {'axis': last},
        'QuantizeV2': {
            'narrow_range': off,
            'axis': last,
            'ensure_minimum_range': value(f=0.01),
        },
        'SparseSegmentMean SparseSegmentSqrtN SparseSegmentSum '
        'SparseSegmentMeanWithNumSegments SparseSegmentSqrtNWithNumSegments '
        'SparseSegmentSumWithNumSegments': {
            'Tsegmentids': int32,
            'sparse_gradient': off,
        },
        'TensorListGetItem': {'Tshape': int32},
        'TensorListSetItem': {'resize_if_index_out_of_bounds': off},
        'TopKV2': {'Tk': int32, 'index_type': int32},
        'TridiagonalSolve': {'perturb_singular': off},
        'VarHandleOp': {'allowed_devices': nothing, 'debug_name': none},
    }
    return {op: values for ops, values in table.items() for op in ops.split()}


LATER = _later()


def drop_later(nodes: Iterable[tf.NodeDef]) -> None:
    """Drops what came after TensorFlow 1.15 from nodes, in place, if it is neutral."""
    for node in nodes:
        for name, neutral in LATER.get(node.op, {}).items():
            if name in node.attr and _says_nothing(node, name, neutral):
                del node.attr[name]


def _says_nothing(
    node: tf.NodeDef, name: str, neutral: attr_value_pb2.AttrValue
) -> bool:
    """Whether a node does the same without an attribute."""
    # Moving statistics that are only read have no factor.
    is_fixed = 'is_training' in node.attr and not node.attr['is_training'].b
    is_free = name in _NAMES or (name == _FACTOR and is_fixed)
    return is_free or node.attr[name] == neutral


def drop(meta_graph: tf.MetaGraphDef) -> None:
    """Drops such attributes from the nodes of a graph and of its functions, in place.

    What an attribute is at its default the graph's own list of ops says; else a table.

    Raises:
      GraphError: if one has another value: names it and the node.
    """
    graph_def = meta_graph.graph_def
    functions = (each.node_def for each in graph_def.library.function)
    nodes = list(itertools.chain(graph_def.node, *functions))
    drop_later(nodes)
    unknown = _unknown(meta_graph, {node.op for node in nodes})
    for node in nodes:
        for name, neutral in unknown.get(node.op, {}).items():
            if name not in node.attr:
                continue
            if not _says_nothing(node, name, neutral):
                raise GraphError(
                    f'Node {node.name!r} ({node.op}) has the attribute {name!r} of a '
                    'newer TensorFlow, at a value that says more than its absence. '
                    'Write the graph without it.'
                )
            del node.attr[name]


def _unknown(meta_graph: tf.MetaGraphDef, ops: Collection[str]) -> Dict[str, Values]:
    """Op -> the attributes that it has elsewhere only, with their defaults."""
    written = meta_graph.meta_info_def.stripped_op_list.op
    defaults = {
        op.name: {
            each.name: each.default_value
            for each in op.attr
            if each.HasField('default_value')
        }
        for op in written
    }
    found: Dict[str, Values] = {}
    for op, definition in op_defs.op_defs(ops).items():
        own = {each.name for each in definition.attr}
        known = {**LATER.get(op, {}), **defaults.get(op, {})}
        found[op] = {name: value for name, value in known.items() if name not in own}
    return found
