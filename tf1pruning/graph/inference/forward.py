"""Training graph -> its forward graph, on which a further training builds.

A forward graph is the network as it is trained: batch norm on batch statistics,
dropout, update ops and regularization losses. Input pipeline, loss, optimizer and saver
stay behind; whoever trains brings their own.

Collections of its meta graph name its inputs, its outputs, and the inputs that are
training flags, by their value in inference.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Optional, Sequence, Set, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import lint, nodes, pipelines, places, rewrite, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.meta_graphs import meta_graph as meta_graph_lib
from tf1pruning.names import TensorRef

INPUTS = 'tf1pruning_inputs'
OUTPUTS = 'tf1pruning_outputs'
TRUE_FLAGS = 'tf1pruning_true_in_inference'
FALSE_FLAGS = 'tf1pruning_false_in_inference'
COLLECTIONS = (tf.GraphKeys.UPDATE_OPS, tf.GraphKeys.REGULARIZATION_LOSSES)


@dataclasses.dataclass(frozen=True, eq=False)
class Forward:
    """A forward graph.

    Attributes:
      model: its nodes; batch norm and dropout are as in training.
      collections: collection -> what it names.
      inference: input that is a training flag -> its value in inference.
    """

    model: graph_lib.InferenceGraph
    collections: Dict[str, Tuple[str, ...]]
    inference: Dict[str, bool]


def forward_graph(
    meta_graph: tf.MetaGraphDef,
    outputs: Sequence[str],
    input_map: Optional[derivation.InputMap] = None,
) -> Forward:
    """The forward graph of a training graph.

    Args:
      meta_graph: of the training; not changed.
      outputs: node names.
      input_map: see `derivation.derive`.

    Raises:
      GraphError: on unknown names, or if an input may be a flag and the graph
        cannot be turned into inference.
    """
    collections = {
        name: meta_graph_lib.members(meta_graph, name) for name in COLLECTIONS
    }
    members = [n for found in collections.values() for n in found]
    targets = [*outputs, *dict.fromkeys(names.node_name(n) for n in members)]
    view = view_lib.GraphView(meta_graph.graph_def)
    rewriter = Cutter(view)
    if input_map:
        rewriter.cut_at(input_map)
    rewriter.run(targets)
    model = graph_lib.build(
        rewriter.result(),
        tuple(outputs),
        meta_graph,
        keep=lambda graph_def: _needed(graph_def, targets),
    )
    values = _inference_values(meta_graph, model, input_map)
    return Forward(model, collections, values)


def _inference_values(
    meta_graph: tf.MetaGraphDef,
    model: graph_lib.InferenceGraph,
    input_map: Optional[derivation.InputMap],
) -> Dict[str, bool]:
    """Input that is a training flag -> its value in inference."""
    inputs = [model.view().node(name) for name in model.inputs]
    if not any(n.attr['dtype'].type == tf.bool.as_datatype_enum for n in inputs):
        return {}
    inferred = derivation.derive(meta_graph, model.outputs, input_map, strict=False)
    return {
        flag.name: flag.value
        for flag in inferred.flags
        if flag.is_training and flag.name in model.inputs
    }


class Cutter(derivation.Rewriter):
    """Cuts off the input pipeline and leaves all else as it is."""

    def _inputs_after_rewrite(self, node: tf.NodeDef) -> List[TensorRef]:
        refs = view_lib.data_inputs(node)
        for ref in refs:
            self._replace_pipeline(ref)
        return refs


def resize(forward: Forward, resizing: rewrite.Resizing) -> Forward:
    """The forward graph of the stripped network.

    Args:
      forward: of the network before.
      resizing: what stripping changed.

    Raises:
      GraphError: if the training differs from the inference in what would have to
        change, or the new sizes do not fit together in it.
    """
    present = {node.name for node in forward.model.graph_def.node}
    missing = sorted(resizing.nodes - present)
    if missing:
        raise GraphError(
            f'The training graph cannot be stripped: it lacks {names.quoted(missing)} '
            'of the inference graph (a part of the network that is built otherwise in '
            'training). Build it from your own code with the widths of the plan.'
        )
    folded = rewrite.folded_nodes(forward.model, resizing)
    if folded:
        raise GraphError(
            f'The training graph cannot be stripped: {names.quoted(list(folded))} '
            'computes a kernel from variables, of which the removed channels are a '
            'part (a mean over all inputs, for one), so it became a constant. Strip '
            "without the optimizer's state."
        )
    model = rewrite.resize(forward.model, resizing)
    try:
        lint.check(model.graph_def, dict.fromkeys(model.outputs))
    except GraphError as error:
        raise GraphError(
            f'The training graph cannot be stripped: {error} A size that only the '
            'training uses (of a dropout for a fixed batch) is not rewritten.'
        ) from error
    return dataclasses.replace(forward, model=model)


def build_meta_graph(forward: Forward) -> tf.MetaGraphDef:
    """A meta graph that restores, and that `training.import_stripped` reads."""
    meta_graph = meta_graph_lib.build_meta_graph(forward.model)
    collections = {
        **forward.collections,
        INPUTS: forward.model.inputs,
        OUTPUTS: forward.model.outputs,
        TRUE_FLAGS: [name for name, value in forward.inference.items() if value],
        FALSE_FLAGS: [name for name, value in forward.inference.items() if not value],
    }
    for name, members in collections.items():
        if members:
            meta_graph.collection_def[name].node_list.value.extend(members)
    return meta_graph


def _needed(graph_def: tf.GraphDef, targets: Sequence[str]) -> tf.GraphDef:
    """What targets need, control inputs included, but for those to the pipeline."""
    view = view_lib.GraphView(graph_def)
    pipeline = {node.name for node in view if node.op in pipelines.PIPELINE_OPS}

    def inputs(name: str) -> List[str]:
        return [n for n in view_lib.input_names(view.node(name)) if n not in pipeline]

    seen = set(walk.reached(targets, inputs))
    left = (_within(node, seen) for node in graph_def.node if node.name in seen)
    kept = nodes.with_nodes(graph_def, left)
    places.drop_lost(kept)
    return kept


def _within(node: tf.NodeDef, kept: Set[str]) -> tf.NodeDef:
    """A copy of a node that reads and awaits no node but those that are kept."""
    return nodes.copied(node, [i for i in node.input if names.node_name(i) in kept])
