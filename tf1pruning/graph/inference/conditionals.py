"""Replaces conditionals that flags decide by the branch that runs (see `flags`).

`tf.cond`, and with it Keras and `tf.layers` under a learning phase, writes Switch and
Merge nodes. Where the predicate follows from constants and flags, each Switch is
replaced by its data and each Merge by its living input. Conditionals that control flow
v2 writes have this form too (`graph.inlining`).
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import flags as flags_lib
from tf1pruning.graph.inference.branches import SWITCH_OPS, Resolver
from tf1pruning.graph.inference.flags import IsTrainingOnly
from tf1pruning.graph.inference_graph import Flag
from tf1pruning.graph.variables import REF_OPS
from tf1pruning.names import TensorRef


def without_conditionals(
    graph_def: tf.GraphDef,
    outputs: Sequence[str],
    is_training_only: IsTrainingOnly,
    decides: bool = True,
) -> Tuple[tf.GraphDef, Tuple[Flag, ...]]:
    """The graph without the conditionals that flags decide, and those flags.

    Args:
      graph_def: the graph; not changed.
      outputs: names of the nodes that matter.
      is_training_only: whether a node has no place in inference.
      decides: whether flags have a value; else only constants decide.
    """
    if not any(node.op in SWITCH_OPS for node in graph_def.node):
        return graph_def, ()
    view = view_lib.GraphView(graph_def)
    flags = flags_lib.decide(view, outputs, is_training_only) if decides else ()
    resolved = Resolver(view, {flag.name: flag.value for flag in flags}).result()
    used = flags_lib.that_matter(view, outputs, flags)
    return with_reads_outside(resolved), used


def with_reads_outside(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Reads variables before the conditionals and loops that are left.

    So a variable is always read by a node that names it, and what enters a branch or a
    loop is its value, which a frozen graph can hold.
    """
    view = view_lib.GraphView(graph_def)
    return nodes.with_nodes(
        graph_def, (new for node in graph_def.node for new in _read_outside(view, node))
    )


def _read_outside(view: view_lib.GraphView, node: tf.NodeDef) -> List[tf.NodeDef]:
    if node.op == 'RefEnter' and view.inputs(node)[0].op in REF_OPS:
        entry = nodes.copied(node)
        entry.op = 'Enter'
        return [entry]
    if node.op != 'ReadVariableOp':
        return [node]
    entries: List[tf.NodeDef] = []
    handle = view.refs(node)[0]
    outputs: List[TensorRef] = []
    while view.node(handle.node).op in (*SWITCH_OPS, 'Enter'):
        outputs.append(handle)
        entries.append(view.node(handle.node))
        handle = view.refs(entries[-1])[0]
    if not entries:
        return [node]
    dtype = tf.as_dtype(node.attr['dtype'].type)
    last, inputs = f'{node.name}/outside', [handle.as_input]
    found = [nodes.make_node(last, 'ReadVariableOp', inputs, dtype=dtype)]
    for i, (ref, entry) in enumerate(zip(reversed(outputs), reversed(entries))):
        new = nodes.copied(entry, [last, *entry.input[1:]])
        new.name = f'{node.name}/{entry.op.lower()}_{i}'
        new.attr['T'].type = dtype.as_datatype_enum
        for key in ('_class', nodes.OUTPUT_SHAPES):
            new.attr.pop(key, None)
        found.append(new)
        last = TensorRef(new.name, ref.output).as_input
    return [*found, nodes.make_node(node.name, 'Identity', [last], T=dtype)]
