"""Any kind of model on disk -> `Source`: checkpoint, SavedModel or frozen graph."""

from __future__ import annotations

import dataclasses
import os
from typing import Optional, Tuple

from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph import meta_graph, saved_model
from tf1pruning.workflow import loading
from tf1pruning.workflow.loading import Source


@dataclasses.dataclass(frozen=True)
class Options:
    """How to read a model.

    Attributes:
      outputs: output nodes; empty: those of the signature, or the only candidate.
      meta_path: `.meta` file of a checkpoint; None: the one beside it.
      tags: of the graph in a SavedModel.
      signature: of a SavedModel, whose outputs are meant.
      use_moving_averages: whether variables have the values of their averages.
    """

    outputs: Tuple[str, ...] = ()
    meta_path: Optional[str] = None
    tags: Tuple[str, ...] = ('serve',)
    signature: str = 'serving_default'
    use_moving_averages: bool = False


def load(path: str, options: Options) -> Source:
    """Reads a model.

    Args:
      path: prefix of a checkpoint, folder of a SavedModel, or a frozen `.pb`.
      options: how.

    Raises:
      GraphError: if the graph is missing or damaged, or leaves no clear output.
      CheckpointError: if there is no checkpoint, or it is damaged.
    """
    averaged = options.use_moving_averages
    if os.path.isdir(path):
        graph = saved_model.read_saved_model(path, options.tags)
        outputs = options.outputs or saved_model.signature_outputs(
            graph, options.signature
        )
        variables = Checkpoint(os.path.join(path, saved_model.VARIABLES_PREFIX))
        return loading.source_of(
            graph, outputs, variables, path, averaged, options.signature
        )
    if path.endswith('.pb'):
        graph = saved_model.read_frozen(path)
        outputs = options.outputs or saved_model.only_output(graph)
        return loading.source_of(graph, outputs, ArraysInMemory({}), path)
    checkpoint = Checkpoint(path)
    graph = meta_graph.read_meta_graph(options.meta_path or checkpoint.meta_path)
    outputs = options.outputs or saved_model.only_output(graph)
    return loading.source_of(graph, outputs, checkpoint, path, averaged)
