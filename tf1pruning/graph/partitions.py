"""Joins the parts of partitioned variables, so that they are pruned like any other.

A partitioned variable `w` is several variables `w/part_0`, `w/part_1` ... in the graph,
one in the checkpoint, and a ConcatV2 in front of what reads it, behind an Identity that
is named `w`. Here that Identity becomes a variable `w` of the whole shape, and what
else reads a part, such as its weight decay, reads a slice of it. A variable whose parts
are never joined stays as it is.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import variable_pb2

from tf1pruning import names
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.shapes import element_count

# What gives the value of a variable.
_READS = ('Identity', 'ReadVariableOp')

Defs = Mapping[str, variable_pb2.VariableDef]


class Merged(NamedTuple):
    """A graph with whole variables.

    Attributes:
      graph_def: the graph; what the outputs do not need any more is still in it.
      first_parts: name of a whole variable -> name of its first part.
    """

    graph_def: tf.GraphDef
    first_parts: Dict[str, str]


def merge(graph_def: tf.GraphDef, defs: Defs) -> Merged:
    """Puts the partitioned variables of a graph together.

    Args:
      graph_def: inference graph; not changed.
      defs: node name of a variable -> its VariableDef.
    """
    sliced = {n for n, d in defs.items() if d.HasField('save_slice_info_def')}
    if not any(node.name in sliced for node in graph_def.node):
        return Merged(graph_def, {})
    view = view_lib.GraphView(graph_def)
    replaced: Dict[str, tf.NodeDef] = {}
    first_parts: Dict[str, str] = {}
    more: List[tf.NodeDef] = []
    taken = {node.name for node in graph_def.node}
    for whole, joins in _joins(view, defs).items():
        parts = next(iter(joins.values()))
        readers = [edge.node for name in joins for edge in view.consumers(name)]
        alone = _read_alone(view, parts, joins)
        if alone is None or not _all_read(readers, whole):
            continue
        first_parts[whole] = parts[0]
        for reader in readers:
            replaced[reader.name] = nodes.copied(reader, [whole])
        replaced[whole] = _variable(whole, view.node(parts[0]), defs[parts[0]])
        for reader, part in alone.items():
            *tables, replaced[reader] = _slice(
                reader, replaced[whole], defs[part], taken
            )
            more += tables
    merged = (replaced.get(node.name, node) for node in graph_def.node)
    return Merged(nodes.with_nodes(graph_def, (*more, *merged)), first_parts)


def _joins(view: view_lib.GraphView, defs: Defs) -> Dict[str, Dict[str, List[str]]]:
    """Whole variable -> the nodes that join all its parts -> the parts."""
    found: Dict[str, Dict[str, List[str]]] = {}
    for node in view:
        parts = _parts(view, node, defs) if node.op == 'ConcatV2' else None
        if parts:
            whole = defs[parts[0]].save_slice_info_def.full_name
            found.setdefault(whole, {})[node.name] = parts
    return found


def _parts(
    view: view_lib.GraphView, node: tf.NodeDef, defs: Defs
) -> Optional[List[str]]:
    """Names of the parts that a node joins to a whole variable, else None."""
    refs = view_lib.data_inputs(node)[:-1]
    found = [view.behind_reads(view.node(ref.node)).name for ref in refs]
    infos = [defs[name].save_slice_info_def for name in found if name in defs]
    if len(infos) != len(found) or len({info.full_name for info in infos}) != 1:
        return None
    covered = sum(element_count(info.var_shape) for info in infos)
    offsets = [list(info.var_offset) for info in infos]
    is_whole = covered == element_count(infos[0].full_shape)
    is_sorted = offsets == sorted(offsets)
    return found if is_whole and is_sorted and infos[0].full_name else None


def _read_alone(
    view: view_lib.GraphView, parts: Sequence[str], joins: Mapping[str, List[str]]
) -> Optional[Dict[str, str]]:
    """Node that reads one part, and not only for what joins all -> the part.

    None: a part is used otherwise than by reading its value.
    """
    found: Dict[str, str] = {}
    for part in parts:
        for edge in view.consumers(part):
            if edge.node.name in joins:
                continue
            if edge.node.op not in _READS:
                return None
            if any(e.node.name not in joins for e in view.consumers(edge.node.name)):
                found[edge.node.name] = part
    return found


def _slice(
    name: str, whole: tf.NodeDef, part: variable_pb2.VariableDef, taken: Set[str]
) -> List[tf.NodeDef]:
    """What reads a part out of the whole variable, behind its tables."""
    info = part.save_slice_info_def
    begin = nodes.constant(
        names.claim(f'{name}/begin', taken), list(info.var_offset), tf.int32
    )
    size = nodes.constant(
        names.claim(f'{name}/size', taken), list(info.var_shape), tf.int32
    )
    inputs = [whole.name, begin.name, size.name]
    types = {'T': tf.as_dtype(whole.attr['dtype'].type), 'Index': tf.int32}
    return [begin, size, nodes.make_node(name, 'Slice', inputs, **types)]


def _all_read(readers: Sequence[tf.NodeDef], whole: str) -> bool:
    """Whether all are plain reads, one of them named like the variable."""
    is_named = whole in {reader.name for reader in readers}
    return is_named and all(reader.op == 'Identity' for reader in readers)


def _variable(
    name: str, part: tf.NodeDef, variable_def: variable_pb2.VariableDef
) -> tf.NodeDef:
    node = tf.NodeDef(name=name, op='VariableV2')
    node.attr['dtype'].CopyFrom(part.attr['dtype'])
    shape = tf.TensorShape(list(variable_def.save_slice_info_def.full_shape))
    node.attr['shape'].shape.CopyFrom(shape.as_proto())
    node.attr[nodes.OUTPUT_SHAPES].list.shape.add().CopyFrom(shape.as_proto())
    for empty in ('container', 'shared_name'):
        node.attr[empty].s = b''
    return node
