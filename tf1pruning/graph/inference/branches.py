"""Follows tensors through conditionals, given the values of flags.

`tf.cond` writes Switch and Merge nodes. Where the predicate follows from constants and
flags, each Switch is its data and each Merge its living input.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import nodes, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

SWITCH_OPS = ('Switch', 'RefSwitch')
MERGE_OPS = ('Merge', 'RefMerge')
SAME_OPS = ('Identity', 'ReadVariableOp', 'Reshape', 'Squeeze', 'Cast')
OF_TWO = ('LogicalAnd', 'LogicalOr')
LOGICAL_OPS = (*OF_TWO, 'LogicalNot')

Flags = Mapping[str, bool]


class Resolver:
    """Follows tensors through conditionals, given the values of the flags."""

    def __init__(self, view: view_lib.GraphView, flags: Flags):
        self._view = view
        self._flags = flags
        self._alive: Dict[TensorRef, bool] = {}
        self._values: Dict[TensorRef, Optional[bool]] = {}
        self._sources: Dict[TensorRef, TensorRef] = {}

    def value(self, ref: TensorRef) -> Optional[bool]:
        """Value of a boolean tensor, or None if it depends on more than flags."""
        values = self._values

        def unknown(ref: TensorRef) -> List[TensorRef]:
            return [i for i in self._deciding(ref) if i not in values]

        for each in walk.leaves_first([] if ref in values else [ref], unknown):
            node = self._view.node(each.node)
            values[each] = None
            inputs = [values.get(i) for i in self._deciding(each)]
            if node.name in self._flags:
                values[each] = self._flags[node.name]
            elif node.op == 'Const':
                values[each] = _constant(node)
            elif inputs:
                values[each] = _logical(node.op, inputs)
        return values.get(ref)

    def _deciding(self, ref: TensorRef) -> Sequence[TensorRef]:
        """The inputs that the value of a boolean tensor follows from."""
        node = self._view.node(ref.node)
        if node.name in self._flags:
            return ()
        if node.op in (*SAME_OPS, *SWITCH_OPS):
            return self._view.refs(node)[:1]
        return self._view.refs(node) if node.op in LOGICAL_OPS else ()

    def source(self, ref: TensorRef) -> TensorRef:
        """What a tensor is, once the conditionals that are decided are gone."""
        passed = []
        while ref not in self._sources:
            passed.append(ref)
            node = self._view.node(ref.node)
            inputs = self._view.refs(node)
            if node.op in SWITCH_OPS and self.value(inputs[1]) is not None:
                ref = inputs[0]
            elif node.op in MERGE_OPS and self.decides(inputs) and ref.output == 0:
                ref = next(i for i in inputs if self.is_alive(i))
            else:
                self._sources[ref] = ref
        found = self._sources[ref]
        self._sources.update((each, found) for each in passed)
        return found

    def decides(self, inputs: Sequence[TensorRef]) -> bool:
        """Whether one side of a Merge is left."""
        return sum(self.is_alive(i) for i in inputs) == 1

    def is_alive(self, ref: TensorRef) -> bool:
        """Whether a tensor is computed: not behind the other side of a Switch."""

        def unjudged(ref: TensorRef) -> List[TensorRef]:
            return [i for i in self._needed(ref) if i not in self._alive]

        for each in walk.leaves_first([] if ref in self._alive else [ref], unjudged):
            self._alive[each] = self._judge(each)
        return self._alive[ref]

    def _needed(self, ref: TensorRef) -> Sequence[TensorRef]:
        """Data inputs; for a constant the pivot that it is controlled by."""
        node = self._view.node(ref.node)
        found = self._view.refs(node)
        return found or [names.parse_tensor(name) for name in node.input]

    def _judge(self, ref: TensorRef) -> bool:
        node, needed = self._view.node(ref.node), self._needed(ref)
        # Alive until judged: a loop does not kill itself.
        living = [self._alive.get(i, True) for i in needed]
        if node.op in MERGE_OPS:
            return any(living)
        if node.op in SWITCH_OPS:
            taken = self.value(needed[1])
            if taken is not None and ref.output != int(taken):
                return False
        return all(living)

    def needed(self, outputs: Iterable[str]) -> Set[str]:
        """Names of the nodes that outputs need."""

        def inputs(name: str) -> List[str]:
            refs = self._view.refs(self._view.node(name))
            return [self.source(ref).node for ref in refs]

        starts = [self.source(TensorRef(names.node_name(o), 0)) for o in outputs]
        return set(walk.reached((ref.node for ref in starts), inputs))

    def result(self) -> tf.GraphDef:
        """The graph with every tensor replaced by what it is."""
        source = self._view.graph_def
        return nodes.with_nodes(source, (self._rewritten(n) for n in source.node))

    def _rewritten(self, node: tf.NodeDef) -> tf.NodeDef:
        own = TensorRef(node.name, 0)
        found = self.source(own) if node.op in MERGE_OPS else own
        if found != own:
            return view_lib.as_identity(node, found)
        return nodes.copied(node, (self._input(name) for name in node.input))

    def _input(self, name: str) -> str:
        if names.is_control(name):
            return name
        ref = names.parse_tensor(name)
        found = self.source(ref)
        return name if found == ref else found.as_input


def _constant(node: tf.NodeDef) -> Optional[bool]:
    array = nodes.constant_value(node)
    return bool(array) if array.dtype == np.bool_ and array.size == 1 else None


def _logical(op: str, values: Sequence[Optional[bool]]) -> Optional[bool]:
    """An op on values of which some are not known; most give their first input."""
    if op in OF_TWO:
        decisive = op == 'LogicalOr'
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    is_known = values[0] is not None
    return not values[0] if op == 'LogicalNot' and is_known else values[0]
