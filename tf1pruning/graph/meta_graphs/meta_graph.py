"""Reads and writes MetaGraphDefs whose collections and saver work.

A written meta graph holds the model's nodes, a zero initializer for every variable, a
new saver and the variable collections: `import_meta_graph` returns a Saver that
restores, and `variables_initializer` runs. It is made from protos alone, without a
graph or a session.
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import variable_pb2

from tf1pruning import files, names
from tf1pruning.errors import GraphError
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.meta_graphs import taking
from tf1pruning.graph.nodes import constant, make_node
from tf1pruning.graph.variables import Variable
from tf1pruning.shapes import element_count

_SAVE = 'save'
# Up to so many zeros are a constant.
_FEW = 1 << 12


def read_meta_graph(path: str) -> tf.MetaGraphDef:
    """Reads a `.meta` file.

    Raises:
      GraphError: if the file is missing or damaged.
    """
    meta_graph = tf.MetaGraphDef()
    try:
        meta_graph.ParseFromString(files.read_bytes(path))
    except FileNotFoundError as error:
        raise GraphError(
            f'No meta graph at {path!r}. A tf.train.Saver writes it beside the '
            'checkpoint; give the right path if it lies elsewhere.'
        ) from error
    except OSError as error:
        raise GraphError(
            f'Meta graph {path!r} cannot be read: {files.reason(error)}.'
        ) from error
    except DecodeError as error:
        raise GraphError(
            f'{path!r} is not a meta graph, or is truncated or damaged: {error}.'
        ) from error
    if not meta_graph.graph_def.node:
        raise GraphError(f'The meta graph {path!r} holds no nodes.')
    taking.take(meta_graph)
    return meta_graph


def members(meta_graph: tf.MetaGraphDef, collection: str) -> Tuple[str, ...]:
    """What a collection of tensors or ops names; nothing if there is none.

    Reading `collection_def[collection]` would add the collection to the graph.
    """
    if collection not in meta_graph.collection_def:
        return ()
    return tuple(meta_graph.collection_def[collection].node_list.value)


def build_meta_graph(model: graph_lib.InferenceGraph) -> tf.MetaGraphDef:
    """A meta graph of a model that can be imported, restored, saved and trained.

    Raises:
      GraphError: if a node of the model has the name of an initializer (`w/Assign`).
    """
    present = {node.name for node in model.graph_def.node}
    meta_graph = tf.MetaGraphDef(graph_def=model.graph_def)
    meta_graph.meta_info_def.tags.append('serve')
    meta_graph.meta_info_def.tensorflow_version = tf.VERSION
    graph_def = meta_graph.graph_def
    for variable in model.variables:
        zeros = _zeros(variable)
        assign = _assign(f'{variable.node}/Assign', variable, zeros[-1].name)
        graph_def.node.extend([*zeros, assign])
        name = _snapshot(variable)
        if variable.is_resource and name not in present:
            inputs = [variable.node]
            read = make_node(name, 'ReadVariableOp', inputs, dtype=variable.dtype)
            graph_def.node.extend([read])
    if model.variables:
        scope = names.claim(_SAVE, {name.partition('/')[0] for name in present})
        graph_def.node.extend(_saver_nodes(scope, model.variables))
        meta_graph.saver_def.CopyFrom(_saver_def(scope))
    view = view_lib.GraphView(graph_def)
    for name, protos in _collections(model, view).items():
        meta_graph.collection_def[name].bytes_list.value.extend(protos)
    return meta_graph


def _zeros(variable: Variable) -> List[tf.NodeDef]:
    """What makes the zeros: one node, unless it would keep many of them in memory."""
    base = f'{variable.node}/Initializer/zeros'
    zero = np.zeros([], variable.dtype.as_numpy_dtype)
    if element_count(variable.shape) <= _FEW:
        return [constant(base, zero, variable.dtype, variable.shape)]
    dims = constant(f'{base}/dims', list(variable.shape), tf.int32)
    value = constant(f'{base}/value', zero, variable.dtype)
    types = {'T': variable.dtype, 'index_type': tf.int32}
    return [dims, value, make_node(base, 'Fill', [dims.name, value.name], **types)]


def _assign(name: str, variable: Variable, value: str) -> tf.NodeDef:
    inputs, dtype = [variable.node, value], variable.dtype
    if variable.is_resource:
        return make_node(name, 'AssignVariableOp', inputs, dtype=dtype)
    node = make_node(name, 'Assign', inputs, T=dtype)
    node.attr['use_locking'].b = True
    node.attr['validate_shape'].b = True
    node.attr['_class'].list.s.append(f'loc:@{variable.node}'.encode())
    return node


def _snapshot(variable: Variable) -> str:
    suffix = 'Read/ReadVariableOp' if variable.is_resource else 'read'
    return f'{variable.node}/{suffix}'


def _slice_spec(variable: Variable) -> str:
    if variable.offset is None:
        return ''
    full = ' '.join(str(size) for size in variable.full_shape)
    parts = zip(variable.offset, variable.shape)
    return f'{full} ' + ':'.join(f'{start},{size}' for start, size in parts)


def _saver_def(scope: str) -> tf.train.SaverDef:
    """What `tf.train.Saver` writes of itself by default, for the nodes in a scope."""
    return tf.train.SaverDef(
        filename_tensor_name=f'{scope}/Const:0',
        save_tensor_name=f'{scope}/control_dependency:0',
        restore_op_name=f'{scope}/restore_all',
        max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0,
        version=tf.train.SaverDef.V2,
    )


def _saver_nodes(scope: str, variables: Sequence[Variable]) -> List[tf.NodeDef]:
    """The nodes of a Saver in a scope."""
    default = constant(f'{scope}/filename', 'model', tf.string)
    path = f'{scope}/Const'
    filename = make_node(
        path, 'PlaceholderWithDefault', [default.name], dtype=tf.string
    )
    filename.attr['shape'].shape.SetInParent()
    values = [_snapshot(v) if v.is_resource else v.node for v in variables]
    save = _file_nodes(f'{scope}/SaveV2', path, variables, values)
    saved = make_node(
        f'{scope}/control_dependency', 'Identity', [path, f'^{scope}/SaveV2']
    )
    saved.attr['T'].type = tf.string.as_datatype_enum
    restore = _file_nodes(f'{scope}/RestoreV2', path, variables)
    assigns = [
        _assign(f'{scope}/Assign_{i}', variable, f'{scope}/RestoreV2:{i}')
        for i, variable in enumerate(variables)
    ]
    waited = [f'^{node.name}' for node in assigns]
    restored = make_node(f'{scope}/restore_all', 'NoOp', waited)
    return [default, filename, *save, saved, *restore, *assigns, restored]


def _file_nodes(
    name: str, path: str, variables: Sequence[Variable], values: Sequence[str] = ()
) -> List[tf.NodeDef]:
    """An op that saves or restores, behind its tables of keys and of slices.

    Args:
      name: of the node, which ends in the op.
      path: the tensor with the path of the file.
      variables: to save or restore.
      values: the tensors to save.
    """
    keys = [variable.key for variable in variables]
    specs = [_slice_spec(variable) for variable in variables]
    tables = [
        constant(f'{name}/tensor_names', keys, tf.string),
        constant(f'{name}/shape_and_slices', specs, tf.string),
    ]
    inputs = [path, *(table.name for table in tables), *values]
    node = make_node(name, name.rpartition('/')[2], inputs)
    node.attr['dtypes'].list.type.extend(v.dtype.as_datatype_enum for v in variables)
    return [*tables, node]


def _collections(
    model: graph_lib.InferenceGraph, view: view_lib.GraphView
) -> Dict[str, List[bytes]]:
    """Collection -> VariableDefs; without those that would be empty."""
    protos = [_variable_def(view, v).SerializeToString() for v in model.variables]
    trainable = [p for p, v in zip(protos, model.variables) if v.trainable]
    found = {
        tf.GraphKeys.GLOBAL_VARIABLES: protos,
        tf.GraphKeys.MODEL_VARIABLES: protos,
        tf.GraphKeys.TRAINABLE_VARIABLES: trainable,
    }
    return {name: members for name, members in found.items() if members}


def _variable_def(
    view: view_lib.GraphView, variable: Variable
) -> variable_pb2.VariableDef:
    snapshot = _snapshot(variable)
    if snapshot not in view:
        snapshot = variable.node
    proto = variable_pb2.VariableDef(
        variable_name=f'{variable.node}:0',
        initial_value_name=f'{variable.node}/Initializer/zeros:0',
        initializer_name=f'{variable.node}/Assign',
        snapshot_name=f'{snapshot}:0',
        is_resource=variable.is_resource,
        trainable=variable.trainable,
    )
    if variable.offset is not None:
        info = proto.save_slice_info_def
        info.full_name = variable.key
        info.full_shape.extend(variable.full_shape)
        info.var_offset.extend(variable.offset)
        info.var_shape.extend(variable.shape)
    return proto
