"""The variables of a graph: their nodes and their names in the checkpoint.

Two kinds exist in TF 1.15. A *ref* variable is a `VariableV2` node that is read by
plain edges. A *resource* variable is a `VarHandleOp` node that is read through
`ReadVariableOp`. In both cases the checkpoint key is the node's name, except for a part
of a partitioned variable (`pv/part_0`), whose key is the whole variable's (`pv`), and
where the graph's Saver has another name for it.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import variable_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import saver
from tf1pruning.graph import view as view_lib

REF_OPS = ('VariableV2', 'Variable')
RESOURCE_OPS = ('VarHandleOp',)
VARIABLE_OPS = REF_OPS + RESOURCE_OPS

_COLLECTIONS = (
    tf.GraphKeys.GLOBAL_VARIABLES,
    tf.GraphKeys.TRAINABLE_VARIABLES,
    tf.GraphKeys.MODEL_VARIABLES,
    tf.GraphKeys.LOCAL_VARIABLES,
)


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable node.

    Attributes:
      node: name of the `VariableV2` or `VarHandleOp` node.
      key: name in the checkpoint.
      shape: static shape of the node (of the part, if partitioned).
      dtype: element type.
      is_resource: whether the node is a `VarHandleOp`.
      trainable: whether it is in the trainable collection.
      offset: where a part starts in the whole variable; None if not partitioned.
      full_shape: shape of the whole variable; equal to `shape` if not partitioned.
    """

    node: str
    key: str
    shape: Tuple[int, ...]
    dtype: tf.DType
    is_resource: bool
    trainable: bool
    offset: Optional[Tuple[int, ...]] = None
    full_shape: Tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Definitions:
    """What a meta graph says of its variables.

    Attributes:
      protos: node name -> VariableDef, of all collections.
      trainable: names of the nodes in the trainable collection.
      keys: node name -> key that the Saver restores it from, where that is known.
    """

    protos: Mapping[str, variable_pb2.VariableDef]
    trainable: FrozenSet[str]
    keys: Mapping[str, str]


def definitions(meta_graph: tf.MetaGraphDef) -> Definitions:
    """What a meta graph says of its variables.

    Raises:
      GraphError: if a collection of variables is damaged.
    """
    protos: Dict[str, variable_pb2.VariableDef] = {}
    found: Dict[str, List[str]] = {}
    for collection in _COLLECTIONS:
        for proto in _protos(meta_graph, collection):
            name = names.node_name(proto.variable_name)
            protos.setdefault(name, proto)
            found.setdefault(collection, []).append(name)
    trainable = frozenset(found.get(tf.GraphKeys.TRAINABLE_VARIABLES, ()))
    return Definitions(protos, trainable, saver.restored_keys(meta_graph))


def find_variables(
    nodes: Iterable[tf.NodeDef], known: Definitions, first_parts: Mapping[str, str]
) -> Tuple[Variable, ...]:
    """The variables among `nodes`, in their order.

    Args:
      nodes: where to look.
      known: what their meta graph says of them.
      first_parts: variable that was put together -> its first part.

    Raises:
      GraphError: if the Saver keeps a variable under the name of another one.
    """
    found = []
    for node in nodes:
        if node.op in VARIABLE_OPS:
            part = first_parts.get(node.name, node.name)
            found.append(_variable(node, part, known))
    _check_keys(found, known)
    return tuple(found)


def _check_keys(found: Iterable[Variable], known: Definitions) -> None:
    """Raises GraphError if variables have changed their names in the checkpoint.

    Two variables may be restored from one key: copies on several devices are.
    """
    taken = [
        f'{v.node!r} under {v.key!r}'
        for v in found
        if v.offset is None
        and v.key != v.node
        and v.key in known.protos
        and known.keys.get(v.key, v.key) != v.key
    ]
    if taken:
        raise GraphError(
            f'The Saver of the graph keeps {"; ".join(taken)}, the name of another '
            'variable, so it is not clear which of the two a name means. (The '
            'swapping Saver of a moving-average optimizer does that.) Give the meta '
            'graph of the inference network, with a Saver of its own.'
        )


def keys_in(meta_graph: tf.MetaGraphDef, collection: str) -> FrozenSet[str]:
    """Checkpoint keys of the variables in a collection."""
    return frozenset(
        d.save_slice_info_def.full_name or names.node_name(d.variable_name)
        for d in _protos(meta_graph, collection)
    )


def _protos(
    meta_graph: tf.MetaGraphDef, collection: str
) -> Iterable[variable_pb2.VariableDef]:
    if collection not in meta_graph.collection_def:
        return []
    raw = meta_graph.collection_def[collection].bytes_list.value
    try:
        return [variable_pb2.VariableDef.FromString(value) for value in raw]
    except DecodeError as error:
        raise GraphError(
            f'The collection {collection!r} of the meta graph holds something other '
            'than variables: the file is damaged. Write it again.'
        ) from error


def _variable(node: tf.NodeDef, part: str, known: Definitions) -> Variable:
    """A variable that was put together of parts has the properties of the first."""
    shape = view_lib.shape_from_proto(view_lib.attribute(node, 'shape').shape)
    own = tuple(-1 if size is None else size for size in shape or ())
    offset, full_shape, key = None, own, known.keys.get(part)
    proto = known.protos.get(node.name)
    if proto is not None and proto.HasField('save_slice_info_def'):
        info = proto.save_slice_info_def
        key = key or info.full_name
        offset = tuple(info.var_offset)
        full_shape = tuple(info.full_shape)
    return Variable(
        node=node.name,
        key=key or node.name,
        shape=own,
        dtype=tf.as_dtype(view_lib.attribute(node, 'dtype').type),
        is_resource=node.op in RESOURCE_OPS,
        trainable=part in known.trainable,
        offset=offset,
        full_shape=full_shape,
    )
