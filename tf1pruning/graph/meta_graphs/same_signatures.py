"""Gives signatures that call the same function the tensors of one of them.

Keras exports a model under two signatures, each with inputs and a call of its own. So
the graph holds the network once, and takes its inputs once.
"""

from __future__ import annotations

from typing import Dict, Hashable, List, Mapping, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import function_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tf1pruning import names
from tf1pruning.graph import functions
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.nodes import INPUT_OPS

# What a call and a placeholder are told apart by, besides their inputs.
_CALL, _PLACEHOLDER = ('Tin', 'Tout'), ('dtype', 'shape')


def merge(meta_graph: tf.MetaGraphDef, first: str) -> None:
    """Lets signatures that differ by names only name the same tensors, in place.

    Args:
      meta_graph: of a SavedModel.
      first: the signature whose tensors the others take.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    library = functions.by_name(meta_graph.graph_def)
    signatures = meta_graph.signature_def
    known: Dict[Hashable, meta_graph_pb2.SignatureDef] = {}
    for name in sorted(signatures, key=lambda name: (name != first, name)):
        meaning = _meaning(signatures[name], nodes, library)
        if meaning is not None:
            signatures[name].CopyFrom(known.setdefault(meaning, signatures[name]))


def _meaning(
    signature: meta_graph_pb2.SignatureDef,
    nodes: Mapping[str, tf.NodeDef],
    library: functions.Functions,
) -> Optional[Hashable]:
    """Equal for signatures that differ by names only; None if nothing can be said.

    That is so where the outputs are not those of one call of a function, or the call
    reads a placeholder that the signature does not feed.
    """
    calls = {names.node_name(info.name) for info in signature.outputs.values()}
    call = nodes.get(calls.pop()) if len(calls) == 1 else None
    if call is None or 'f' not in call.attr:
        return None
    callee = call.attr['f'].func.name
    if callee not in library:
        return None
    fed = {names.node_name(info.name): key for key, info in signature.inputs.items()}
    inputs: List[Tuple[object, ...]] = []
    for name in call.input:
        source = nodes.get(names.node_name(name))
        if source is None or source.op not in INPUT_OPS:
            inputs.append((name,))
        elif source.name in fed:
            inputs.append((fed[source.name], *_values(source, _PLACEHOLDER)))
        else:
            return None
    outputs = sorted(
        (key, names.parse_tensor(info.name).output)
        for key, info in signature.outputs.items()
    )
    function = function_pb2.FunctionDef()
    function.CopyFrom(library[callee])
    function.signature.ClearField('name')
    # What arguments were called when it was traced.
    function.ClearField('arg_attr')
    return (
        call.op,
        signature.method_name,
        tuple(inputs),
        tuple(outputs),
        _values(call, _CALL),
        function.SerializeToString(deterministic=True),
    )


def _values(node: tf.NodeDef, keys: Sequence[str]) -> Tuple[bytes, ...]:
    found = (view_lib.attribute(node, key) for key in keys)
    return tuple(each.SerializeToString(deterministic=True) for each in found)
