"""Inference graphs, the values that the rest of the library works on.

An `InferenceGraph` holds exactly the nodes that its outputs need, inputs first:
placeholders, variables, constants and operations. It has no optimizer, no saver, no
input pipeline, no initializers (a written meta graph has new ones) and no devices.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import frames, functions, newer, partitions, places
from tf1pruning.graph import variables as variables_lib
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.nodes import INPUT_OPS, with_nodes
from tf1pruning.names import TensorRef


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag that has one value in a model.

    Attributes:
      name: of its node.
      value: the value.
      is_training: whether it tells training from inference; else this is its default.
    """

    name: str
    value: bool
    is_training: bool

    def __str__(self) -> str:
        if self.is_training:
            return f'training flag {self.name}: {self.value}'
        return f'flag {self.name}: {self.value}, its default'


@dataclasses.dataclass(frozen=True)
class Converted:
    """What a graph lost on its way to inference that its numbers depend on.

    Attributes:
      statistics: variables with averages that are read in the place of statistics of
        the batch.
      dropouts: nodes in which dropouts ended that are gone.
      kept: what was not converted on demand, some of `KINDS`.
      inputs: tensor of the graph without functions -> the placeholder in its place.
      off: placeholder -> the number with which a dropout does nothing.
    """

    statistics: Tuple[str, ...] = ()
    dropouts: Tuple[str, ...] = ()
    kept: Tuple[str, ...] = ()
    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    off: Mapping[str, float] = dataclasses.field(default_factory=dict)


BATCH_NORM, DROPOUT, FLAGS = KINDS = ('batch_norm', 'dropout', 'flags')


@dataclasses.dataclass(frozen=True)
class InferenceGraph:
    """An inference graph.

    Attributes:
      graph_def: the nodes, each after its inputs; never changed in place.
      inputs: names of the placeholder nodes.
      outputs: names of the output nodes, in the user's order.
      variables: the variables, in graph order.
      flags: flags of the graph it was made of that have one value in it.
      converted: what that graph lost besides.
      shapes: of some tensors, as they are known without the graph.

    Raises:
      GraphError: if an output is missing or depends on no input.
    """

    graph_def: tf.GraphDef = dataclasses.field(repr=False)
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    variables: Tuple[variables_lib.Variable, ...] = dataclasses.field(repr=False)
    flags: Tuple[Flag, ...] = ()
    converted: Converted = Converted()
    shapes: Mapping[TensorRef, Optional[view_lib.Shape]] = dataclasses.field(
        default_factory=dict, repr=False
    )
    _view: view_lib.GraphView = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        view = view_lib.GraphView(self.graph_def, self.shapes)
        missing = [name for name in self.outputs + self.inputs if name not in view]
        if missing:
            raise GraphError(f'Not in the graph: {names.quoted(missing)}.')
        if not self.outputs:
            raise GraphError('A model needs an output. Name the output nodes.')
        if not self.inputs:
            raise GraphError(
                f'Output {names.quoted(self.outputs)} depends on no input: no '
                'placeholder and no input pipeline lies before it. Check the output '
                'name.'
            )
        object.__setattr__(self, '_view', view)

    def view(self) -> view_lib.GraphView:
        """The index of the graph."""
        return self._view

    @property
    def required_inputs(self) -> Tuple[str, ...]:
        """The inputs without a default, or all if each has one."""
        view = self.view()
        found = [name for name in self.inputs if view.node(name).op == 'Placeholder']
        return tuple(found) or self.inputs

    def keys(self) -> Dict[str, str]:
        """Variable node name -> checkpoint key."""
        return {variable.node: variable.key for variable in self.variables}


def build(
    graph_def: tf.GraphDef,
    outputs: Tuple[str, ...],
    meta_graph: tf.MetaGraphDef,
    flags: Tuple[Flag, ...] = (),
    converted: Converted = Converted(),
    keep: Optional[Callable[[tf.GraphDef], tf.GraphDef]] = None,
) -> InferenceGraph:
    """Keeps what `outputs` need and finds inputs and variables in it.

    Args:
      graph_def: a graph that may hold more than is needed.
      outputs: output node names.
      meta_graph: source of the variable collections.
      flags: for the model.
      converted: for the model.
      keep: graph -> what the model needs of it; None: what `outputs` need.
    """
    keep = keep or functools.partial(needed, outputs=outputs)
    found = keep(graph_def)
    newer.drop_later(found.node)
    known = variables_lib.definitions(meta_graph)
    merged = partitions.merge(found, known.protos)
    if merged.first_parts:
        found = keep(merged.graph_def)
    return InferenceGraph(
        graph_def=found,
        inputs=tuple(node.name for node in found.node if node.op in INPUT_OPS),
        outputs=tuple(outputs),
        variables=variables_lib.find_variables(found.node, known, merged.first_parts),
        flags=flags,
        converted=converted,
    )


def needed(graph_def: tf.GraphDef, outputs: Sequence[str]) -> tf.GraphDef:
    """What outputs need, each node after its inputs.

    Control inputs go, but for those that tie a node to its loop or branch. Devices go:
    one of the training, such as a task of a cluster, may be nowhere else.

    Raises:
      GraphError: if an output is missing, or lies on a cycle that is no loop.
    """
    inside = frames.nodes_inside(graph_def)
    kept = with_nodes(graph_def, view_lib.GraphView(graph_def).ancestors(outputs))
    for node in kept.node:
        node.device = ''
        for name in [name for name in node.input if names.is_control(name)]:
            if names.node_name(name) not in inside:
                node.input.remove(name)
    places.drop_lost(kept)
    kept.library.CopyFrom(functions.used_library(kept))
    for function in kept.library.function:
        for node in function.node_def:
            node.device = ''
    return kept
