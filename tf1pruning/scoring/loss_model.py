"""Derives from a training graph one that computes its loss as in inference."""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterable, List, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.graph import nodes, pipelines, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import derivation, losses
from tf1pruning.names import TensorRef, node_name
from tf1pruning.scoring.runnable import Runnable

CROSS_ENTROPIES = (
    'SoftmaxCrossEntropyWithLogits',
    'SparseSoftmaxCrossEntropyWithLogits',
)


@dataclasses.dataclass(frozen=True)
class LossModel(Runnable):
    """A model whose only output is a loss; see `Runnable`."""

    @property
    def loss(self) -> str:
        """Node of the loss."""
        return self.model.outputs[0]


def loss_model(
    meta_graph: tf.MetaGraphDef,
    loss: str = '',
    outputs: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> LossModel:
    """The part of a training graph that computes its loss, as in inference.

    Args:
      meta_graph: of training.
      loss: name of the loss tensor, a scalar; '': the only one in the collection of
        losses.
      outputs: nodes of the model; what they read of the pipeline comes first, so that
        the inputs have the names of those of the inference graph.
      keep: what stays as in training, see `derivation.derive`.

    Raises:
      GraphError: if there is no such loss, it is no scalar, or it cannot be computed
        as in inference.
    """
    name = node_name(loss) if loss else losses.only_loss(meta_graph)
    view = view_lib.GraphView(meta_graph.graph_def)
    shape = view.shape(TensorRef(view.node(name).name, 0))
    if shape:
        raise GraphError(
            f'Loss {name!r} has shape {shape}; expected a scalar, such as the mean '
            'over the batch.'
        )
    known = [output for output in outputs if output in view]
    pipeline = _pipeline(view, [*known, name])
    by_tensor = {tensor: placeholder for placeholder, tensor in pipeline.items()}
    model = derivation.derive(meta_graph, [name], by_tensor, keep=keep)
    return LossModel(model, {p: t for p, t in pipeline.items() if p in model.inputs})


def tempered(loss_model: LossModel, temperature: float) -> LossModel:
    """A loss with the logits of its softmax divided by a temperature.

    GraSP is meant for T = 200 (Wang et al., arXiv 2002.07376): a trained network is so
    sure of its answers that its gradients vanish.

    Args:
      loss_model: the loss.
      temperature: above 0; 1 changes nothing.

    Raises:
      OptionError: if the temperature is not above 0.
      GraphError: if the loss has no softmax cross entropy.
    """
    if not 0 < temperature < float('inf'):
        raise OptionError(f'The temperature is {temperature}; expected above 0.')
    model = loss_model.model
    source = model.graph_def
    if not any(node.op in CROSS_ENTROPIES for node in source.node):
        raise GraphError(
            f'The loss {loss_model.loss!r} has no softmax cross entropy whose logits a '
            'temperature could divide. Leave the temperature out.'
        )
    changed = (new for node in source.node for new in _tempered(node, temperature))
    graph_def = nodes.with_nodes(source, changed)
    model = dataclasses.replace(model, graph_def=graph_def)
    return dataclasses.replace(loss_model, model=model)


def _tempered(node: tf.NodeDef, temperature: float) -> List[tf.NodeDef]:
    """A cross entropy behind the nodes that divide its logits; or any other node."""
    if node.op not in CROSS_ENTROPIES:
        return [node]
    dtype = tf.as_dtype(node.attr['T'].type)
    factor = nodes.constant(f'{node.name}/temperature', temperature, dtype)
    inputs = [node.input[0], factor.name]
    divided = nodes.make_node(f'{node.name}/tempered', 'RealDiv', inputs, T=dtype)
    copy = nodes.copied(node)
    copy.input[0] = divided.name
    return [factor, divided, copy]


def _pipeline(view: view_lib.GraphView, starts: Sequence[str]) -> Dict[str, str]:
    """New placeholder -> tensor of the pipeline, in the order of their reading."""
    taken = {node.name for node in view}
    return {
        names.claim(derivation.DEFAULT_INPUT, taken): str(ref)
        for ref in _pipeline_tensors(view, starts)
    }


def _pipeline_tensors(
    view: view_lib.GraphView, starts: Sequence[str]
) -> Iterable[TensorRef]:
    def ends(ref: TensorRef) -> bool:
        return pipelines.ends_pipeline(view, ref.node)

    def inner(name: str) -> List[str]:
        return [ref.node for ref in view.refs(view.node(name)) if not ends(ref)]

    reached = walk.reached(starts, inner)
    refs = (ref for name in reached for ref in view.refs(view.node(name)))
    return dict.fromkeys(ref for ref in refs if ends(ref))
