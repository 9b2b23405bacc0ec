"""The names by which others feed and fetch a network: its serving signature."""

from __future__ import annotations

import dataclasses
from typing import Mapping, Sequence, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf1pruning import names
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef

DEFAULT_NAME = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_PREDICT = tf.saved_model.signature_constants.PREDICT_METHOD_NAME


@dataclasses.dataclass(frozen=True)
class Signature:
    """Names for the inputs and outputs of a model.

    Attributes:
      name: of the signature itself.
      method: TensorFlow's name of what it does, such as `tensorflow/serving/predict`.
      inputs: (name, tensor), in the model's order.
      outputs: (name, tensor), in the model's order.
      gone: names that the original has for inputs that the model lacks, sorted.
    """

    name: str
    method: str
    inputs: Tuple[Tuple[str, TensorRef], ...]
    outputs: Tuple[Tuple[str, TensorRef], ...]
    gone: Tuple[str, ...] = ()


def signature_of(
    model: InferenceGraph, graph: tf.MetaGraphDef, name: str = DEFAULT_NAME
) -> Signature:
    """The signature for a model.

    Tensors keep the names that the signature `name` of `graph` gives them; those that
    it does not know, or all if there is no such signature, are called like their nodes.
    An input with a default is only part of it if it was before.

    Args:
      model: whose inputs and outputs need names.
      graph: where the model comes from.
      name: of the signature.
    """
    unknown = meta_graph_pb2.SignatureDef(method_name=_PREDICT)
    found = graph.signature_def.get(name, unknown)
    inputs = _named(model.inputs, found.inputs, model.required_inputs)
    return Signature(
        name=name,
        method=found.method_name or _PREDICT,
        inputs=inputs,
        outputs=_named(model.outputs, found.outputs, model.outputs),
        gone=tuple(sorted(set(found.inputs).difference(key for key, _ in inputs))),
    )


def _named(
    nodes: Sequence[str],
    infos: Mapping[str, meta_graph_pb2.TensorInfo],
    required: Sequence[str],
) -> Tuple[Tuple[str, TensorRef], ...]:
    """One or more (name, tensor) for each node that is known or required."""
    refs = {key: names.parse_tensor(infos[key].name) for key in sorted(infos)}
    result = []
    for node in nodes:
        known = [(key, ref) for key, ref in refs.items() if ref.node == node]
        if not known and node in required:
            known = [(node, TensorRef(node, 0))]
        result += known
    return tuple(result)


def signature_def(
    signature: Signature, view: view_lib.GraphView
) -> meta_graph_pb2.SignatureDef:
    """The signature as TensorFlow writes it, with the types and shapes of a graph."""
    result = meta_graph_pb2.SignatureDef(method_name=signature.method)
    for target, tensors in (
        (result.inputs, signature.inputs),
        (result.outputs, signature.outputs),
    ):
        for name, ref in tensors:
            target[name].name = str(ref)
            target[name].dtype = view.dtype(ref).as_datatype_enum
            shape = tf.TensorShape(view.shape(ref)).as_proto()
            target[name].tensor_shape.CopyFrom(shape)
    return result
