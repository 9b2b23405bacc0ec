"""Single nodes: how they are made and read."""

from __future__ import annotations

from typing import Iterable, List, Mapping, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import tensor_shape_pb2

from tf1pruning.errors import GraphError
from tf1pruning.names import op_types
from tf1pruning.shapes import element_count

# Attribute of a node with the static shapes that were known when it was made.
OUTPUT_SHAPES = '_output_shapes'
INPUT_OPS = ('Placeholder', 'PlaceholderWithDefault')
# Convolutions and dense layers.
LAYER_OPS = op_types(
    'BatchMatMul BatchMatMulV2 Conv2D Conv2DBackpropInput Conv3D '
    'Conv3DBackpropInputV2 DepthwiseConv2dNative MatMul'
)

# Up to TensorFlow 0.12 floats are divided by `Div`.
DIVISIONS = ('Div', 'RealDiv')


def make_node(
    name: str, op: str, inputs: Sequence[str] = (), **types: tf.DType
) -> tf.NodeDef:
    """A node whose attributes are types.

    Args:
      name: of the node.
      op: its type.
      inputs: names as nodes write them.
      **types: attribute -> element type.
    """
    node = tf.NodeDef(name=name, op=op, input=inputs)
    for key, dtype in types.items():
        node.attr[key].type = dtype.as_datatype_enum
    return node


def copied(node: tf.NodeDef, inputs: Optional[Iterable[str]] = None) -> tf.NodeDef:
    """A copy of a node; it reads `inputs`, if they are given."""
    new = tf.NodeDef()
    new.CopyFrom(node)
    if inputs is not None:
        new.input[:] = inputs
    return new


def data_names(node: tf.NodeDef) -> List[str]:
    """The names of the tensors that a node reads, as it writes them.

    Control dependencies come last, of which a node of a training may have hundreds.
    """
    found = []
    for name in node.input:
        if name.startswith('^'):
            break
        found.append(name)
    return found


def with_nodes(graph_def: tf.GraphDef, nodes: Iterable[tf.NodeDef]) -> tf.GraphDef:
    """A graph of other nodes, with the versions and functions of this one."""
    new = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    new.node.extend(nodes)
    return new


def constant(
    name: str, value: object, dtype: tf.DType, shape: Optional[Sequence[int]] = None
) -> tf.NodeDef:
    """A Const node; of `shape`, where a single value fills it."""
    node = make_node(name, 'Const', dtype=dtype)
    node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(value, dtype, shape))
    return node


def constant_value(node: tf.NodeDef) -> np.ndarray:
    """Value of a Const node; bfloat16, which NumPy does not know, as 32-bit floats.

    Raises:
      GraphError: if it holds no such value.
    """
    try:
        return calculable(tf.make_ndarray(node.attr['value'].tensor))
    except (TypeError, ValueError) as error:
        raise GraphError(
            f'The value of the constant {node.name!r} is damaged: {error}. Write the '
            'graph again.'
        ) from error


def constant_size(node: tf.NodeDef) -> int:
    """Number of elements of a Const node."""
    dims = node.attr['value'].tensor.tensor_shape.dim
    return element_count(dim.size for dim in dims)


def is_exact(node: tf.NodeDef) -> bool:
    """Whether `constant_value` has the type of the Const node."""
    return node.attr['dtype'].type != tf.bfloat16.as_datatype_enum


def calculable_type(dtype: tf.DType) -> tf.DType:
    """The type that `calculable` gives an array of this type."""
    return tf.float32 if dtype.base_dtype == tf.bfloat16 else dtype


def calculable(array: np.ndarray) -> np.ndarray:
    """An array that NumPy calculates with: bfloat16 becomes 32-bit floats."""
    is_bfloat16 = array.dtype == tf.bfloat16.as_numpy_dtype
    return array.astype(np.float32) if is_bfloat16 else array


def with_constants(
    graph_def: tf.GraphDef, arrays: Mapping[str, np.ndarray]
) -> tf.GraphDef:
    """A graph whose Const nodes of some names have other values, of their own types."""
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    for node in result.node:
        if node.name in arrays:
            dtype = tf.as_dtype(node.attr['dtype'].type)
            array = arrays[node.name].astype(dtype.as_numpy_dtype, copy=False)
            array_constant(node.name, array, node)
    return result


def array_constant(
    name: str, value: np.ndarray, node: Optional[tf.NodeDef] = None
) -> tf.NodeDef:
    """A Const node with an array of numbers, bit by bit.

    Args:
      name: of the node.
      value: the array.
      node: an empty node, to fill instead of a new one.
    """
    node = tf.NodeDef() if node is None else node
    dtype = tf.as_dtype(value.dtype)
    node.name, node.op = name, 'Const'
    node.attr['dtype'].type = dtype.as_datatype_enum
    tensor = node.attr['value'].tensor
    tensor.dtype = dtype.as_datatype_enum
    tensor.tensor_shape.CopyFrom(shape_proto(value.shape))
    tensor.tensor_content = value.tobytes()
    return node


def shape_proto(shape: Iterable[int]) -> tensor_shape_pb2.TensorShapeProto:
    """A shape as protos write it; faster than by way of `tf.TensorShape`."""
    sizes = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    return tensor_shape_pb2.TensorShapeProto(dim=sizes)
