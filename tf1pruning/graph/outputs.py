"""Finds the output of a network if the user names none, also in a training graph.

The answer of a network depends on its features and not on labels: losses, metrics and
gradients lie behind the point where labels come in. Features are the inputs to which a
trained weight is applied.
"""

from __future__ import annotations

from typing import FrozenSet, Iterable, List, Set, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import pipelines, variables
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import INPUT_OPS
from tf1pruning.names import TensorRef, op_types

_LISTED = 8
# They have an effect, or are read before a session runs the network.
_EFFECTS = op_types(
    'Assert MergeSummary NoOp Print PrintV2 RestoreV2 SaveV2 ShardedFilename '
    'VarIsInitializedOp WriteFile'
)
_WRITES = ('Apply', 'Assign', 'ResourceApply', 'ResourceScatter', 'SparseApply')
# With one of these before its loss, the network ends where it begins.
_PASSING = frozenset(('Identity', 'Reshape', 'StopGradient'))
_READS = frozenset(('Identity', 'ReadVariableOp', 'Cast', 'Enter', 'Switch'))
# TensorFlow puts what `tf.gradients` adds below a scope of this name.
_GRADIENTS = 'gradients'


def only_output(graph: tf.MetaGraphDef) -> Tuple[str, ...]:
    """The output node, if the graph leaves one clear candidate.

    That is a node called `output`, or else the only one of `candidates`.

    Raises:
      GraphError: names the candidates if there is not exactly one.
    """
    view = view_lib.GraphView(graph.graph_def)
    if 'output' in view:
        return ('output',)
    found = candidates(graph)
    if len(found) == 1:
        return (found[0],)
    more = f' and {len(found) - _LISTED} more' if len(found) > _LISTED else ''
    listed = f': {names.quoted(found[:_LISTED])}{more}' if found else ''
    raise GraphError(
        f'{len(found) or "No"} nodes may be the output{listed}. Name the output nodes.',
        options=('output_nodes',),
    )


def candidates(graph: tf.MetaGraphDef) -> List[str]:
    """Nodes that may be the output, in graph order.

    They compute floats, no single number if there is anything else, from the features
    and the trained variables alone, and nothing that does so comes after them.
    """
    view = view_lib.GraphView(graph.graph_def)
    forward = _Forward(view, graph)
    inner = forward.answers()
    floats = {name for name in inner if _is_float(view, name)}
    tensors = {n for n in floats if view.shape(TensorRef(n, 0)) != ()} or floats
    ends = {name for name in inner if forward.is_end(name, inner)}
    answers = tensors & (ends | forward.before(ends))
    last = {n for n in answers if not forward.only_passes(n, inner)}
    inside = forward.before(last)
    return [n.name for n in view if n.name in last and n.name not in inside]


class _Forward:
    """A graph without its gradients and without what writes."""

    def __init__(self, view: view_lib.GraphView, graph: tf.MetaGraphDef):
        self._view = view
        self._allowed = {node.name for node in view if not _is_aside(node)}
        found = variables.find_variables(view, variables.definitions(graph), {})
        trained = [v.node for v in found if v.trainable] or [v.node for v in found]
        self._trained = [TensorRef(node, -1) for node in trained]

    def answers(self) -> Set[str]:
        """Nodes that depend on features and trained variables, and on no label."""
        inputs = self._inputs()
        weighted = self.reach(self._trained) if self._trained else self._allowed
        layers = self._layers() if self._trained else self._allowed
        features = [ref for ref in inputs if self.reach([ref]) & layers]
        labels = self.reach(ref for ref in inputs if ref not in features)
        return (self.reach(features) & weighted) - labels

    def reach(self, starts: Iterable[TensorRef]) -> Set[str]:
        """Nodes that depend on tensors; output -1: on any output of the node."""
        first = [
            edge.node.name
            for ref in starts
            for edge in self._view.consumers(ref.node)
            if ref.output in (-1, edge.output) and self._is_allowed(edge)
        ]
        edges = self._view.edges_behind(first, self._is_allowed)
        return {*first, *(edge.node.name for edge in edges if self._is_allowed(edge))}

    def _is_allowed(self, edge: view_lib.Edge) -> bool:
        return edge.node.name in self._allowed

    def before(self, targets: Iterable[str]) -> Set[str]:
        """Nodes that others depend on."""
        readers = self._view.before(targets)
        return {ref.node for node in readers for ref in self._view.refs(node)}

    def is_end(self, name: str, inner: Set[str]) -> bool:
        """Whether the answers end here, and not in a write, as a new mean does."""
        readers = [edge.node for edge in self._view.consumers(name)]
        behind = [node for node in readers if node.name not in inner]
        return not readers or any(
            not _is_aside(node) or _is_gradient(node.name) for node in behind
        )

    def only_passes(self, name: str, inner: Set[str]) -> bool:
        """Whether a node hands the answer on to a loss, unchanged."""
        edges = self._view.consumers(name)
        outside = all(edge.node.name not in inner for edge in edges)
        (source, *_) = view_lib.data_inputs(self._view.node(name))
        passing = self._view.node(name).op in _PASSING and source.node in inner
        return passing and bool(edges) and outside

    def _inputs(self) -> List[TensorRef]:
        return [
            TensorRef(node.name, output)
            for node in self._view
            if node.op in INPUT_OPS or node.op in pipelines.PIPELINE_OPS
            for output in sorted({e.output for e in self._view.consumers(node.name)})
        ]

    def _layers(self) -> FrozenSet[str]:
        """Nodes that use a trained variable."""

        def passes(edge: view_lib.Edge) -> bool:
            return self._is_allowed(edge) and edge.node.op in _READS

        edges = self._view.edges_behind((ref.node for ref in self._trained), passes)
        return frozenset(edge.node.name for edge in edges if self._is_allowed(edge))


def _is_aside(node: tf.NodeDef) -> bool:
    """Whether a node is part of the backward pass, writes, or reports."""
    writes = node.op.startswith(_WRITES)
    reports = node.op in _EFFECTS or 'Summary' in node.op
    return writes or reports or _is_gradient(node.name)


def _is_gradient(name: str) -> bool:
    return any(part.startswith(_GRADIENTS) for part in name.split('/'))


def _is_float(view: view_lib.GraphView, name: str) -> bool:
    try:
        return view.dtype(TensorRef(name, 0)).is_floating
    except KeyError:  # No output.
        return False
