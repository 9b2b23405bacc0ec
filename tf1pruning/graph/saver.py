"""Finds the keys under which the Saver of a meta graph keeps variables.

A Saver may be given names of its own (`tf.train.Saver({'key': variable})`). Which key
a variable is restored from is found by data flow: from the restore op over the
assignments that it waits for back to the table of keys.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import view as view_lib
from tf1pruning.graph import walk
from tf1pruning.names import TensorRef

_ASSIGN_OPS = ('Assign', 'AssignVariableOp')
_PASSING_OPS = ('Identity', 'Reshape')
_RESTORE_OP = 'RestoreV2'
# Paths of objects; `ckpt.objects` finds the variables' names for them.
_OBJECT_KEY = '/.ATTRIBUTES/VARIABLE_VALUE'

Nodes = Mapping[str, tf.NodeDef]


def restored_keys(meta_graph: tf.MetaGraphDef) -> Dict[str, str]:
    """Variable node -> key that the Saver restores it from, where that is known.

    Args:
      meta_graph: may be without a Saver.
    """
    restore = names.node_name(meta_graph.saver_def.restore_op_name)
    if not restore:
        return {}
    # A Saver makes its nodes in a scope of its own.
    scope = restore[: restore.rfind('/') + 1]
    found = {n.name: n for n in meta_graph.graph_def.node if n.name.startswith(scope)}
    tables: Dict[str, List[bytes]] = {}
    keys = {}
    for node in _assignments(found, restore):
        variable, value = node.input[0], node.input[1]
        source = _restored(found, value)
        if source is None:
            continue
        if source.node not in tables:
            tables[source.node] = _table(found, found[source.node])
        entry = tables[source.node][source.output : source.output + 1]
        key = b''.join(entry).decode('utf-8', 'replace')
        if key and not key.endswith(_OBJECT_KEY):
            keys[names.node_name(variable)] = key
    return keys


def _assignments(found: Nodes, restore: str) -> List[tf.NodeDef]:
    """The assignments that an op waits for, directly or through others."""

    def awaited(name: str) -> List[str]:
        if found[name].op in _ASSIGN_OPS:
            return []
        return [n for n in view_lib.control_inputs(found[name]) if n in found]

    reached = walk.reached([restore] if restore in found else [], awaited)
    return [found[name] for name in reached if found[name].op in _ASSIGN_OPS]


def _restored(found: Nodes, tensor: str) -> Optional[TensorRef]:
    """The output of a restoring op behind a value; None if it comes from elsewhere."""
    ref = names.parse_tensor(tensor)
    node = found.get(ref.node)
    while node is not None and node.op in _PASSING_OPS:
        ref = names.parse_tensor(node.input[0])
        node = found.get(ref.node)
    return ref if node is not None and node.op == _RESTORE_OP else None


def _table(found: Nodes, restore: tf.NodeDef) -> List[bytes]:
    """The keys that a restoring op reads; empty if they are computed."""
    table = found.get(names.node_name(restore.input[1]))
    if table is None or table.op != 'Const':
        return []
    return list(table.attr['value'].tensor.string_val)
