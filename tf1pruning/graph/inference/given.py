"""The graph that the user gave, with nothing changed but its inputs."""

from __future__ import annotations

from typing import Dict, Union

import tensorflow.compat.v1 as tf

from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import inlining
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import forward
from tf1pruning.graph.variables import VARIABLE_OPS


def given_graph(
    meta_graph: tf.MetaGraphDef, model: graph_lib.InferenceGraph
) -> graph_lib.InferenceGraph:
    """The graph that a model was made of, up to the outputs of the model.

    Batch norm and dropout are as they were, and so are conditionals. The input pipeline
    is replaced by the placeholders of the model.

    Args:
      meta_graph: as it was read; not changed.
      model: its inference graph.

    Raises:
      GraphError: if the graph is damaged.
    """
    inlined = inlining.inline(meta_graph.graph_def)
    cutter = forward.Cutter(view_lib.GraphView(inlined.graph_def))
    cutter.cut_at(model.converted.inputs)
    cutter.run(model.outputs)
    return graph_lib.build(cutter.result(), model.outputs, meta_graph)


def switched_off(
    given: graph_lib.InferenceGraph, model: graph_lib.InferenceGraph
) -> Dict[str, Union[bool, float]]:
    """Node -> the value under which a given graph infers: of flags and dropouts."""
    view = given.view()
    found: Dict[str, Union[bool, float]] = dict(model.converted.off)
    found.update({f.name: f.value for f in model.flags if f.is_training})
    return {
        name: value
        for name, value in found.items()
        if name in view and view.node(name).op not in VARIABLE_OPS
    }
