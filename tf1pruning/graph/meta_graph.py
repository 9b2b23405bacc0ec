"""Reads and writes MetaGraphDefs whose collections and saver work.

A written meta graph holds the model's nodes, a zero initializer for every variable, a
saver made anew, and the variable collections: `import_meta_graph` returns a Saver that
restores, and `variables_initializer` runs. It is made from protos alone, without a
graph or a session.
"""

from __future__ import annotations

import os
from typing import Dict, List, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import variable_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import complete
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import view as view_lib
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
    if not os.path.isfile(path):
        raise GraphError(
            f'No meta graph at {path!r}. A tf.train.Saver writes it beside the '
            'checkpoint; give the right path if it lies elsewhere.'
        )
    meta_graph = tf.MetaGraphDef()
    with open(path, 'rb') as file:
        data = file.read()
    try:
        meta_graph.ParseFromString(data)
    except DecodeError as error:
        raise GraphError(
            f'{path!r} is not a meta graph, or is truncated or damaged: {error}.'
        ) from error
    if not meta_graph.graph_def.node:
        raise GraphError(f'The meta graph {path!r} holds no nodes.')
    return complete.complete(meta_graph)


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
      GraphError: if the model has a node of the name of an initializer, `w/Assign` say.
    """
    present = {node.name for node in model.graph_def.node}
    meta_graph = tf.MetaGraphDef(graph_def=model.graph_def)
    meta_graph.meta_info_def.tags.append('serve')
    meta_graph.meta_info_def.tensorflow_version = tf.VERSION
    graph_def = meta_graph.graph_def
    for variable in model.variables:
        graph_def.node.extend(_initializer(variable))
        if variable.is_resource and _snapshot(variable) not in present:
            graph_def.node.extend([_read(variable)])
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
    fill = make_node(
        base,
        'Fill',
        [f'{base}/dims', f'{base}/value'],
        T=variable.dtype,
        index_type=tf.int32,
    )
    return [
        constant(f'{base}/dims', list(variable.shape), tf.int32),
        constant(f'{base}/value', zero, variable.dtype),
        fill,
    ]


def _initializer(variable: Variable) -> List[tf.NodeDef]:
    zeros = _zeros(variable)
    return zeros + [_assign(f'{variable.node}/Assign', variable, zeros[-1].name)]


def _assign(name: str, variable: Variable, value: str) -> tf.NodeDef:
    if variable.is_resource:
        return make_node(
            name, 'AssignVariableOp', [variable.node, value], dtype=variable.dtype
        )
    node = make_node(name, 'Assign', [variable.node, value], T=variable.dtype)
    node.attr['use_locking'].b = True
    node.attr['validate_shape'].b = True
    node.attr['_class'].list.s.append(f'loc:@{variable.node}'.encode())
    return node


def _snapshot(variable: Variable) -> str:
    suffix = 'Read/ReadVariableOp' if variable.is_resource else 'read'
    return f'{variable.node}/{suffix}'


def _read(variable: Variable) -> tf.NodeDef:
    return make_node(
        _snapshot(variable), 'ReadVariableOp', [variable.node], dtype=variable.dtype
    )


def _slice_spec(variable: Variable) -> str:
    if variable.offset is None:
        return ''
    full = ' '.join(str(size) for size in variable.full_shape)
    parts = zip(variable.offset, variable.shape)
    return f'{full} ' + ':'.join(f'{start},{size}' for start, size in parts)


def _filename(scope: str) -> str:
    return f'{scope}/Const'


def _saver_def(scope: str) -> tf.train.SaverDef:
    """What `tf.train.Saver` writes of itself by default, for the nodes in a scope."""
    return tf.train.SaverDef(
        filename_tensor_name=f'{_filename(scope)}:0',
        save_tensor_name=f'{scope}/control_dependency:0',
        restore_op_name=f'{scope}/restore_all',
        max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0,
        version=tf.train.SaverDef.V2,
    )


def _saver_nodes(scope: str, variables: Sequence[Variable]) -> List[tf.NodeDef]:
    filename = _filename(scope)
    default = constant(f'{scope}/filename', 'model', tf.string)
    path = make_node(
        filename, 'PlaceholderWithDefault', [default.name], dtype=tf.string
    )
    path.attr['shape'].shape.SetInParent()
    return [
        default,
        path,
        *_save_nodes(scope, filename, variables),
        *_restore_nodes(scope, filename, variables),
    ]


def _name_tables(
    scope: str, op: str, variables: Sequence[Variable]
) -> List[tf.NodeDef]:
    keys = [variable.key for variable in variables]
    specs = [_slice_spec(variable) for variable in variables]
    return [
        constant(f'{scope}/{op}/tensor_names', keys, tf.string),
        constant(f'{scope}/{op}/shape_and_slices', specs, tf.string),
    ]


def _save_nodes(
    scope: str, filename: str, variables: Sequence[Variable]
) -> List[tf.NodeDef]:
    tables = _name_tables(scope, 'SaveV2', variables)
    values = [_snapshot(v) if v.is_resource else v.node for v in variables]
    inputs = [filename] + [table.name for table in tables] + values
    save = make_node(f'{scope}/SaveV2', 'SaveV2', inputs)
    save.attr['dtypes'].list.type.extend(v.dtype.as_datatype_enum for v in variables)
    done = make_node(
        f'{scope}/control_dependency', 'Identity', [filename, f'^{save.name}']
    )
    done.attr['T'].type = tf.string.as_datatype_enum
    return tables + [save, done]


def _restore_nodes(
    scope: str, filename: str, variables: Sequence[Variable]
) -> List[tf.NodeDef]:
    tables = _name_tables(scope, 'RestoreV2', variables)
    inputs = [filename] + [table.name for table in tables]
    restore = make_node(f'{scope}/RestoreV2', 'RestoreV2', inputs)
    restore.attr['dtypes'].list.type.extend(v.dtype.as_datatype_enum for v in variables)
    assigns = [
        _assign(f'{scope}/Assign_{i}', variable, f'{restore.name}:{i}')
        for i, variable in enumerate(variables)
    ]
    done = make_node(
        f'{scope}/restore_all', 'NoOp', [f'^{node.name}' for node in assigns]
    )
    return tables + [restore] + assigns + [done]


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
