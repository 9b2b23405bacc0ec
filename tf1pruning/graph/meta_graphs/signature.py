"""The names by which others feed and fetch a network: its signatures."""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterator, Mapping, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.meta_graphs import meta_graph as meta_graph_lib
from tf1pruning.names import TensorRef

DEFAULT_NAME = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_PREDICT = tf.saved_model.signature_constants.PREDICT_METHOD_NAME
# These name ops that make or train the model, and no tensors.
_OF_OPS = '__saved_model'

Named = Tuple[Tuple[str, TensorRef], ...]


@dataclasses.dataclass(frozen=True)
class Signature:
    """Names for inputs and outputs of a model.

    Attributes:
      name: of the signature itself.
      method: TensorFlow's name of what it does, such as `tensorflow/serving/predict`.
      inputs: (name, tensor), in the model's order.
      outputs: (name, tensor), in the model's order; none: the signature is left out.
      gone: names that the original has for inputs that the model lacks, sorted.
      lost: names that the original has for outputs that the model lacks, sorted.
    """

    name: str
    method: str
    inputs: Named
    outputs: Named
    gone: Tuple[str, ...] = ()
    lost: Tuple[str, ...] = ()

    def losses(self) -> Iterator[str]:
        """What the model lacks of the original, as sentences."""
        if not self.outputs:
            yield (
                f'Signature {self.name!r} is left out: none of its outputs '
                f'({names.quoted(self.lost)}) is meant.'
            )
            return
        if self.lost:
            yield (
                f'Outputs of signature {self.name!r} that are left out: '
                f'{names.quoted(self.lost)}.'
            )
        if self.gone:
            taken = [str(ref) for _, ref in self.inputs]
            yield (
                f'Inputs of signature {self.name!r} that the network does not take: '
                f'{names.quoted(self.gone)}. It takes {names.quoted(taken)}.'
            )


Signatures = Tuple[Signature, ...]


def _definitions(
    graph: tf.MetaGraphDef, first: Optional[str]
) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    """Name -> signature of tensors; the first one, or else the default, comes first."""
    found = graph.signature_def
    wanted = DEFAULT_NAME if first is None else first
    order = sorted(found, key=lambda name: (name != wanted, name))
    return {name: found[name] for name in order if not name.startswith(_OF_OPS)}


def outputs_of(graph: tf.MetaGraphDef, name: Optional[str] = None) -> Tuple[str, ...]:
    """Output nodes that signatures name, each once.

    Args:
      graph: any.
      name: the signature that is meant; None: all of them.

    Returns:
      Those of the default signature first, each signature's sorted by their names in
      it; none if the graph has no signatures.

    Raises:
      GraphError: if there is no such signature.
    """
    found = _definitions(graph, name)
    if name is not None and name not in found:
        raise GraphError(
            f'There is no signature {name!r}; there is {names.quoted(sorted(found))}.'
        )
    meant = found.values() if name is None else [found[name]]
    refs = (ref for each in meant for ref in _refs(each.outputs).values())
    return tuple(dict.fromkeys(ref.node for ref in refs))


def signatures_of(
    model: InferenceGraph, graph: tf.MetaGraphDef, first: Optional[str] = None
) -> Signatures:
    """The signatures for a model, the one that is meant first.

    Tensors keep the names that the signatures of `graph` give them. What an output
    needs and its signature does not know is called like its node; an output that no
    signature knows is one of the first signature. An input with a default is only part
    of a signature if it was before.

    Args:
      model: whose inputs and outputs need names.
      graph: where the model comes from.
      first: the signature that is meant; None: the default one.
    """
    found = dict(_definitions(graph, first)) or {
        first or DEFAULT_NAME: meta_graph_pb2.SignatureDef(method_name=_PREDICT)
    }
    refs = [ref for each in found.values() for ref in _refs(each.outputs).values()]
    known = {ref.node for ref in refs}
    unnamed = [node for node in model.outputs if node not in known]
    return tuple(
        _signature(model, name, definition, () if number else unnamed)
        for number, (name, definition) in enumerate(found.items())
    )


def _refs(infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> Dict[str, TensorRef]:
    """Name -> tensor, sorted; without sparse ones, which are several tensors."""
    return {
        key: names.parse_tensor(infos[key].name)
        for key in sorted(infos)
        if infos[key].name
    }


def _signature(
    model: InferenceGraph,
    name: str,
    definition: meta_graph_pb2.SignatureDef,
    more: Sequence[str],
) -> Signature:
    """A signature of a model, with more outputs than it had."""
    outputs = _named(model.outputs, definition.outputs, more)
    view = model.view()
    before = {node.name for node in view.ancestors({ref.node for _, ref in outputs})}
    needed = [node for node in model.required_inputs if node in before]
    inputs = _named(model.inputs, definition.inputs, needed)
    return Signature(
        name=name,
        method=definition.method_name or _PREDICT,
        inputs=inputs,
        outputs=outputs,
        gone=tuple(sorted(set(definition.inputs).difference(key for key, _ in inputs))),
        lost=tuple(
            sorted(set(definition.outputs).difference(key for key, _ in outputs))
        ),
    )


def _named(
    nodes: Sequence[str],
    infos: Mapping[str, meta_graph_pb2.TensorInfo],
    required: Sequence[str],
) -> Named:
    """One or more (name, tensor) for each node that is known or required."""
    refs = _refs(infos)
    result = []
    for node in nodes:
        known = [(key, ref) for key, ref in refs.items() if ref.node == node]
        if not known and node in required:
            known = [(node, TensorRef(node, 0))]
        result += known
    return tuple(result)


def meta_graph_of(model: InferenceGraph, signatures: Signatures) -> tf.MetaGraphDef:
    """The meta graph of a model with its signatures; see `meta_graph.build_meta_graph`.

    Raises:
      GraphError: like that.
    """
    result = meta_graph_lib.build_meta_graph(model)
    add(result, signatures, model.view())
    return result


def add(
    graph: tf.MetaGraphDef, signatures: Signatures, view: view_lib.GraphView
) -> None:
    """Gives a new meta graph the signatures all of whose tensors it has.

    Args:
      graph: is changed.
      signatures: of the model; those that are left out are none.
      view: of what the graph holds, for types and shapes.
    """
    for signature in signatures:
        refs = [ref for _, ref in (*signature.inputs, *signature.outputs)]
        if signature.outputs and all(ref.node in view for ref in refs):
            _write(graph.signature_def[signature.name], signature, view)


def _write(
    target: meta_graph_pb2.SignatureDef,
    signature: Signature,
    view: view_lib.GraphView,
) -> None:
    """Writes a signature as TensorFlow does, with the types and shapes of a graph."""
    target.method_name = signature.method
    for infos, tensors in (
        (target.inputs, signature.inputs),
        (target.outputs, signature.outputs),
    ):
        for name, ref in tensors:
            infos[name].name = str(ref)
            infos[name].dtype = view.dtype(ref).as_datatype_enum
            shape = tf.TensorShape(view.shape(ref)).as_proto()
            infos[name].tensor_shape.CopyFrom(shape)
