"""Finds the output of a network if the user names none, also in a training graph.

The answer of a network depends on its features and not on labels: losses, metrics and
gradients lie behind the point where labels come in. Features are the inputs to which a
trained weight is applied.

What a loss written by hand computes before it meets the labels, such as the logarithm
of the probabilities, is not the answer: that is what the loss starts from.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Set, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import nodes, pipelines, variables
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import INPUT_OPS
from tf1pruning.names import TensorRef, op_types
from tf1pruning.notes import Note

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
# What losses that are written by hand are made of, besides layers.
_LOSS_OPS = op_types(
    'Abs Add AddV2 Cast ClipByValue Div Exp ExpandDims GreaterEqual Identity Log Log1p '
    'LogSoftmax Max Maximum Mean Minimum Mul Neg Pow RealDiv Relu Reshape Select '
    'Softplus Square Squeeze StopGradient Sub Sum Tile ZerosLike'
)
_LOGARITHMS = ('Log', 'Log1p')
_PROBABILITIES = ('Sigmoid', 'Softmax')
# TensorFlow puts what `tf.gradients` adds below a scope of this name.
_GRADIENTS = 'gradients'


class Candidate(NamedTuple):
    """A node that may be the output.

    Attributes:
      name: of the node.
      inside: the last nodes that a loss computes of it alone; empty if none does.
    """

    name: str
    inside: Tuple[str, ...]

    @property
    def notes(self) -> Tuple[Note, ...]:
        """What was chosen, if others might choose otherwise."""
        if not self.inside:
            return ()
        text = (
            f'Output {self.name!r}: the loss starts from it, and what comes after it '
            f'({names.quoted(self.inside)}) is a part of the loss.'
        )
        return (Note(text, ('output_nodes',)),)


def only_output(graph: tf.MetaGraphDef) -> Candidate:
    """The output node, if the graph leaves one clear candidate.

    That is a node called `output`, or else the only one of `candidates`.

    Raises:
      GraphError: names the candidates if there is not exactly one.
    """
    if any(node.name == 'output' for node in graph.graph_def.node):
        return Candidate('output', ())
    found = candidates(graph)
    if len(found) == 1:
        return found[0]
    more = f' and {len(found) - _LISTED} more' if len(found) > _LISTED else ''
    first = [each.name for each in found[:_LISTED]]
    listed = f': {names.quoted(first)}{more}' if found else ''
    raise GraphError(
        f'{len(found) or "No"} nodes may be the output{listed}. Name the output nodes.',
        options=('output_nodes',),
    )


def candidates(graph: tf.MetaGraphDef) -> List[Candidate]:
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
    last -= forward.before(last)
    inside = forward.inside_losses(last, inner)
    last = last.difference(*inside.values()).union(inside)
    last -= forward.before(last)
    return [
        Candidate(node.name, tuple(sorted(inside.get(node.name, ()))))
        for node in view
        if node.name in last
    ]


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

    def inside_losses(
        self, last: Iterable[str], inner: Set[str]
    ) -> Dict[str, Set[str]]:
        """Where losses start -> the last nodes that they compute of it alone.

        A loss starts from probabilities of which it takes the logarithm, from the
        logits of a logarithm of the softmax, or from what meets the labels, too.
        """
        found: Dict[str, Set[str]] = {}
        starts: Set[str] = set()
        layers = self._layers()
        for name in sorted(last):

            def passes(node: tf.NodeDef, last: str = name) -> bool:
                is_inner = node.name in inner and node.name not in layers
                may_start = self._meets(node, inner) or self._is_probability(node)
                is_last = node.name == last
                return is_inner and node.op in _LOSS_OPS and (is_last or not may_start)

            computed = list(self._view.before([name], passes))
            borders = [n for n in computed if n.name in inner and not passes(n)]
            if len(borders) == 1 and borders[0].name != name and self._is_read(name):
                (border,) = borders
                found.setdefault(border.name, set()).add(name)
                is_logged = any(n.op in _LOGARITHMS for n in computed)
                is_chance = self._is_probability(border)
                if self._meets(border, inner) or (is_logged and is_chance):
                    starts.add(border.name)
        return {name: inside for name, inside in found.items() if name in starts}

    def _meets(self, node: tf.NodeDef, inner: Set[str]) -> bool:
        """Whether a node meets the labels, or is the logits of a logarithm."""
        readers = [edge.node for edge in self._view.consumers(node.name)]
        return any(
            reader.op == 'LogSoftmax'
            or (reader.name not in inner and not _is_aside(reader))
            for reader in readers
        )

    def _is_read(self, name: str) -> bool:
        return any(not _is_aside(edge.node) for edge in self._view.consumers(name))

    def _is_probability(self, node: tf.NodeDef) -> bool:
        """Whether a node is a softmax, also one that is written by hand."""
        if node.op in nodes.DIVISIONS:
            return self._view.inputs(node)[0].op == 'Exp'
        return node.op in _PROBABILITIES

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
