"""Inference graph and arrays -> one GraphDef without variables.

It is made from protos alone. A variable becomes a Const of its own name and its reads
go. Output names never change.
"""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import files, names
from tf1pruning.errors import GraphError
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import nodes, places, references
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.variables import REF_OPS, RESOURCE_OPS
from tf1pruning.shapes import element_count

MAX_PROTO_BYTES = (1 << 31) - 1
# Names a derivative that only the process has that built the graph (tf.nn.swish).
_OWN_GRADIENT = '_gradient_op_type'
# Ops on the handle of a variable, and their twins on its value: type and attributes.
_ON_HANDLES = {'ReadVariableOp': 'Identity', 'ResourceGather': 'Gather'}
_ATTRIBUTES = {
    'Identity': {'T': 'dtype'},
    'Gather': {
        'Tparams': 'dtype',
        'Tindices': 'Tindices',
        'validate_indices': 'validate_indices',
    },
}


def freeze(
    model: graph_lib.InferenceGraph, arrays: Mapping[str, np.ndarray]
) -> tf.GraphDef:
    """The model with its variables turned into constants.

    Args:
      model: the model; not changed.
      arrays: variable node -> array.

    Raises:
      GraphError: if the result would not fit into a protobuf (2 GB).
    """
    _check_size(model)
    return freeze_part(model, model.graph_def, model.outputs, arrays)


def freeze_part(
    model: graph_lib.InferenceGraph,
    graph_def: tf.GraphDef,
    outputs: Sequence[str],
    arrays: Mapping[str, np.ndarray],
) -> tf.GraphDef:
    """A part of a model with its variables turned into constants.

    Args:
      model: the model.
      graph_def: the part, such as what `outputs` need; not changed.
      outputs: names of the nodes that matter; they stay.
      arrays: variable node -> array, at least of those of the part.
    """
    dtypes = {v.node: v.dtype.as_numpy_dtype for v in model.variables}
    frozen = nodes.with_nodes(graph_def, ())
    renamed: Dict[str, str] = {}
    for node in graph_def.node:
        if node.op in REF_OPS or node.op in RESOURCE_OPS:
            value = arrays[node.name].astype(dtypes[node.name], copy=False)
            nodes.array_constant(node.name, value, frozen.node.add())
        elif _is_read(node, outputs, dtypes):
            renamed[node.name] = _source(node)
        elif _source_in(node, dtypes) and node.op in _ON_HANDLES:
            frozen.node.extend([_on_constant(node)])
        else:
            _copy(node, renamed, frozen.node.add())
    return frozen


def write_frozen(path: str, graph_def: tf.GraphDef) -> int:
    """Writes a GraphDef as a whole; returns the number of bytes.

    Raises:
      OutputError: if the file cannot be written.
    """
    data = graph_def.SerializeToString()
    files.write_bytes(path, data)
    return len(data)


def _check_size(model: graph_lib.InferenceGraph) -> None:
    total = sum(element_count(v.shape) * v.dtype.size for v in model.variables)
    if total + model.graph_def.ByteSize() > MAX_PROTO_BYTES:
        raise GraphError(
            f'The weights take {total / 1e9:.1f} GB and a frozen graph may have 2 GB '
            'at most, so this network cannot be verified, nor exported as pb or '
            'tflite. It can be written as a checkpoint and as a SavedModel, without '
            'verification.',
            options=('formats', 'verify'),
        )


def _source(node: tf.NodeDef) -> str:
    return names.node_name(node.input[0])


def _source_in(node: tf.NodeDef, variables: Collection[str]) -> bool:
    return bool(node.input) and _source(node) in variables


def _is_read(
    node: tf.NodeDef, outputs: Collection[str], variables: Collection[str]
) -> bool:
    """Whether a node does no more than read a variable."""
    return (
        node.op in view_lib.READ_OPS
        and node.name not in outputs
        and _source_in(node, variables)
    )


def _on_constant(node: tf.NodeDef) -> tf.NodeDef:
    """An op on the handle of a variable as the same op on its value.

    Raises:
      GraphError: if it has no such form.
    """
    if view_lib.attribute(node, 'batch_dims').i:
        raise GraphError(
            f'Node {node.name!r} looks up rows for each example (batch_dims), which a '
            'frozen graph cannot hold. Name outputs before it.'
        )
    new = tf.NodeDef(name=node.name, op=_ON_HANDLES[node.op], input=node.input)
    for ours, theirs in _ATTRIBUTES[new.op].items():
        new.attr[ours].CopyFrom(view_lib.attribute(node, theirs))
    return new


def _copy(node: tf.NodeDef, renamed: Mapping[str, str], copy: tf.NodeDef) -> None:
    """Fills an empty node with what a node is in a frozen graph."""
    copy.CopyFrom(node)
    if any(names.node_name(name) in renamed for name in node.input):
        copy.input[:] = (
            renamed.get(name, name)
            for name in node.input
            if not (names.is_control(name) and names.node_name(name) in renamed)
        )
    for note in (nodes.OUTPUT_SHAPES, places.ATTRIBUTE, _OWN_GRADIENT):
        if note in copy.attr:
            del copy.attr[note]
    if copy.op in references.HAND_ON:
        references.make_plain(copy)
