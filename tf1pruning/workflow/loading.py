"""Checkpoint + meta graph -> everything that is known about the model."""

from __future__ import annotations

import collections
import dataclasses
from typing import FrozenSet, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels import uses
from tf1pruning.ckpt import slots
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.ckpt.averages import Averaged
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.graph import (
    inference,
    losses,
    meta_graph,
    nodes,
    optimizers,
    pipelines,
    unsafe,
)
from tf1pruning.graph.model import Model
from tf1pruning.graph.signature import DEFAULT_NAME, Signature, signature_of
from tf1pruning.surgery import weights
from tf1pruning.workflow.phases import Phases, phase

DEFAULT_OUTPUTS = ('output',)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A model with its weights on disk.

    Attributes:
      variables: read when asked for; none if all weights are constants.
      path: prefix of the checkpoint, or path of the model.
      model: inference graph.
      trace: where its channels live.
      groups: groups of its channels.
      unsafe_ops: nodes before its outputs that write files or call Python.
      signature: names of its inputs and outputs.
      divisors: checkpoint keys of what the optimizer divides by.
    """

    variables: Arrays
    path: str
    model: Model
    trace: uses.Trace = dataclasses.field(repr=False)
    groups: Tuple[groups_lib.Group, ...] = dataclasses.field(repr=False)
    unsafe_ops: Tuple[str, ...]
    signature: Signature
    divisors: FrozenSet[str] = frozenset()

    @property
    def unused_keys(self) -> List[str]:
        """What the checkpoint holds besides the model's variables and their slots."""
        own = set(self.weight_keys)
        known = own | set(slots.find_slots(self.variables.shapes, own))
        return sorted(set(self.variables.shapes) - known)

    @property
    def weight_keys(self) -> List[str]:
        """Checkpoint keys of the model's variables."""
        return [variable.key for variable in self.model.variables]

    def keyed_arrays(self) -> Mapping[str, np.ndarray]:
        """Checkpoint key, or name of a Const node -> array; refuses NaN.

        Raises:
          CheckpointError: like `arrays`.
        """
        view = self.model.view()
        variables = {variable.node for variable in self.model.variables}
        constants = {
            name: nodes.constant_value(view.node(name))
            for name in self.trace.weights
            if name not in variables
        }
        arrays = weights.CheckpointArrays(self.model, self.arrays())
        # Only read, which needs no more than a Mapping.
        return collections.ChainMap(constants, arrays)  # type: ignore[arg-type]

    def arrays(self) -> Arrays:
        """Variable node -> array; refuses NaN. Many arrays are not kept in memory.

        Raises:
          CheckpointError: if variables are missing, misshaped, damaged or not finite;
            of many arrays the last two when they are read.
        """
        return weights.model_arrays(self.model, self.variables)


def split_outputs(output_nodes: str) -> Tuple[str, ...]:
    """Parses a comma-separated list of output nodes.

    >>> split_outputs('boxes, scores:0')
    ('boxes', 'scores')

    Raises:
      GraphError: on a blank, or another tensor of a node than its first.
    """
    given = [name.strip() for name in output_nodes.split(',')]
    if not all(given):
        raise GraphError(f'Output nodes {output_nodes!r}: expected names, got a blank.')
    for name in given:
        if ':' in name and not name.endswith(':0'):
            raise GraphError(
                f'Output {name!r} is not the first tensor of its node; expected a node '
                'name. Put a tf.identity behind the tensor and name that.'
            )
    return tuple(names.node_name(name) for name in given)


def load_source(
    checkpoint: str,
    outputs: Sequence[str],
    meta_path: Optional[str] = None,
    input_map: Optional[inference.InputMap] = None,
) -> Source:
    """Reads a checkpoint and its graph and traces the channels.

    Args:
      checkpoint: prefix of the checkpoint.
      outputs: output node names.
      meta_path: `.meta` file; None: the one beside the checkpoint.
      input_map: see `graph.inference.inference_model`.

    Raises:
      CheckpointError: if the checkpoint is missing or damaged.
      GraphError: if the graph is, or lacks an output.
    """
    variables = Checkpoint(checkpoint)
    graph = meta_graph.read_meta_graph(meta_path or variables.meta_path)
    model = inference.inference_model(graph, outputs, input_map)
    return _source(variables, variables.prefix, model, graph)


def source_of(
    graph: tf.MetaGraphDef,
    outputs: Sequence[str],
    variables: Arrays,
    path: str,
    use_moving_averages: bool = False,
    signature: str = DEFAULT_NAME,
    phases: Optional[Phases] = None,
) -> Source:
    """Traces a graph that has been read.

    Args:
      graph: of training or inference.
      outputs: output node names.
      variables: of the graph.
      path: of the model, for messages and to protect it.
      use_moving_averages: whether variables have the values of their averages.
      signature: which one of the graph names inputs and outputs.
      phases: counts the seconds of `trace`.

    Raises:
      GraphError: if the graph lacks an output or cannot be turned into inference.
      CheckpointError: if the averages are asked for and there are none that fit.
    """
    model = inference.inference_model(graph, outputs)
    values = Averaged(variables) if use_moving_averages else variables
    with phase(phases, 'trace'):
        return _source(values, path, model, graph, signature)


def load_for_planning(
    checkpoint: str,
    outputs: Sequence[str],
    inference_meta: Optional[str] = None,
    input_map: Optional[inference.InputMap] = None,
) -> Source:
    """Like `load_source`, for a graph that is only traced and not run.

    The graph is the inference graph if there is a separate one. In a training graph
    random ops do no harm; and if it lacks the default output, which nobody named, it is
    traced from its losses: every layer lies before a loss.

    Args:
      checkpoint: prefix of the checkpoint, with its training graph beside it.
      outputs: output node names.
      inference_meta: `.meta` file of a separate inference graph.
      input_map: belongs to `inference_meta`.

    Raises:
      CheckpointError: if the checkpoint is missing or damaged.
      GraphError: if the graph is, or lacks an output.
    """
    if inference_meta is not None:
        return load_source(checkpoint, outputs, inference_meta, input_map)
    variables = Checkpoint(checkpoint)
    graph = meta_graph.read_meta_graph(variables.meta_path)
    return planning_source(graph, outputs, variables)


def planning_source(
    graph: tf.MetaGraphDef, outputs: Sequence[str], variables: Checkpoint
) -> Source:
    """Like `load_for_planning`, for a graph that has been read.

    Raises:
      GraphError: if the graph lacks an output.
    """
    starts = _outputs_or_losses(graph, outputs)
    model = inference.inference_model(graph, starts, deterministic=False)
    return _source(variables, variables.prefix, model, graph)


def _source(
    variables: Arrays,
    path: str,
    model: Model,
    graph: tf.MetaGraphDef,
    signature: str = DEFAULT_NAME,
) -> Source:
    trace = trace_lib.trace(model)
    pipeline = pipelines.PIPELINE_OPS - pipelines.PYTHON_OPS
    found = unsafe.find_unsafe(graph.graph_def, model.outputs, pipeline)
    groups = groups_lib.find_groups(trace)
    named = signature_of(model, graph, signature)
    divided_by = optimizers.divisors(graph)
    return Source(variables, path, model, trace, groups, found, named, divided_by)


def _outputs_or_losses(graph: tf.MetaGraphDef, outputs: Sequence[str]) -> Sequence[str]:
    present = {node.name for node in graph.graph_def.node}
    if tuple(outputs) == DEFAULT_OUTPUTS and not present.intersection(outputs):
        return losses.data_losses(graph) or outputs
    return outputs
