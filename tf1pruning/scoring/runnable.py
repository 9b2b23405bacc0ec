"""What runs on data: a loss, or a network where no loss is needed."""

from __future__ import annotations

import dataclasses
from typing import Mapping

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.sessions import STRICT, RunLimits


@dataclasses.dataclass(frozen=True)
class Runnable:
    """A graph that runs on data as in inference.

    Attributes:
      model: the graph: batch norm on moving statistics, no dropout.
      pipeline: placeholder -> tensor of the input pipeline that it replaces, in the
        graph as it was read.
      limits: of the runs of both.
    """

    model: InferenceGraph
    pipeline: Mapping[str, str]
    limits: RunLimits = STRICT

    @property
    def loss(self) -> str:
        """Node of the loss; '': the graph is that of a network."""
        return ''

    @property
    def what(self) -> str:
        """What the graph is, at the start of a message."""
        return 'The loss' if self.loss else 'The network'


def of_network(
    meta_graph: tf.MetaGraphDef, model: InferenceGraph, limits: RunLimits
) -> Runnable:
    """A network that runs without a loss.

    Args:
      meta_graph: as it was read.
      model: its inference graph.
      limits: of the runs.
    """
    view = view_lib.GraphView(meta_graph.graph_def)
    found = {}
    for tensor, placeholder in model.converted.inputs.items():
        node = names.node_name(tensor)
        if node in view and pipelines.ends_pipeline(view, node):
            found[placeholder] = tensor
    return Runnable(model, found, limits)
