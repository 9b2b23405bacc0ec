"""Follows tensors through conditionals, given the values of flags.

`tf.cond` writes Switch and Merge nodes. Where the predicate follows from constants and
flags, each Switch is its data and each Merge its living input.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

SWITCH_OPS = ('Switch', 'RefSwitch')
MERGE_OPS = ('Merge', 'RefMerge')
SAME_OPS = ('Identity', 'ReadVariableOp', 'Reshape', 'Squeeze', 'Cast')
LOGICAL_OPS = ('LogicalAnd', 'LogicalNot', 'LogicalOr')

Flags = Mapping[str, bool]


class Resolver:
    """Follows tensors through conditionals, given the values of the flags."""

    def __init__(self, view: view_lib.GraphView, flags: Flags):
        self._view = view
        self._flags = flags
        self._alive: Dict[TensorRef, bool] = {}

    def value(self, ref: TensorRef) -> Optional[bool]:
        """Value of a boolean tensor, or None if it depends on more than flags."""
        node = self._view.node(ref.node)
        if node.name in self._flags:
            return self._flags[node.name]
        if node.op == 'Const':
            array = nodes.constant_value(node)
            return bool(array) if array.dtype == np.bool_ and array.size == 1 else None
        inputs = view_lib.data_inputs(node)
        if node.op in (*SAME_OPS, *SWITCH_OPS):
            return self.value(inputs[0])
        if node.op in LOGICAL_OPS:
            return _logical(node.op, [self.value(i) for i in inputs])
        return None

    def source(self, ref: TensorRef) -> TensorRef:
        """What a tensor is, once the conditionals that are decided are gone."""
        while True:
            node = self._view.node(ref.node)
            inputs = view_lib.data_inputs(node)
            if node.op in SWITCH_OPS and self.value(inputs[1]) is not None:
                ref = inputs[0]
            elif node.op in MERGE_OPS and self.decides(inputs) and ref.output == 0:
                ref = next(i for i in inputs if self.is_alive(i))
            else:
                return ref

    def decides(self, inputs: Sequence[TensorRef]) -> bool:
        """Whether one side of a Merge is left."""
        return sum(self.is_alive(i) for i in inputs) == 1

    def is_alive(self, ref: TensorRef) -> bool:
        """Whether a tensor is computed: not behind the other side of a Switch."""
        stack: List[Tuple[TensorRef, bool]] = [(ref, False)]
        while stack:
            current, is_ready = stack.pop()
            if current in self._alive and not is_ready:
                continue
            node = self._view.node(current.node)
            needed = self._needed(node)
            if is_ready:
                self._alive[current] = self._judge(node, current, needed)
            else:
                # Alive until judged: a loop does not kill itself.
                self._alive[current] = True
                stack.append((current, True))
                stack += [(i, False) for i in needed if i not in self._alive]
        return self._alive[ref]

    def _needed(self, node: tf.NodeDef) -> List[TensorRef]:
        """Data inputs; for a constant the pivot that it is controlled by."""
        if any(not names.is_control(name) for name in node.input):
            return view_lib.data_inputs(node)
        return [names.parse_tensor(name) for name in node.input]

    def _judge(
        self, node: tf.NodeDef, ref: TensorRef, needed: Sequence[TensorRef]
    ) -> bool:
        living = [self._alive[i] for i in needed]
        if node.op in MERGE_OPS:
            return any(living)
        if node.op in SWITCH_OPS:
            taken = self.value(needed[1])
            if taken is not None and ref.output != int(taken):
                return False
        return all(living)

    def needed(self, outputs: Iterable[str]) -> Set[str]:
        """Names of the nodes that outputs need."""
        seen: Set[str] = set()
        stack = [self.source(TensorRef(names.node_name(o), 0)) for o in outputs]
        while stack:
            name = stack.pop().node
            if name not in seen:
                seen.add(name)
                inputs = view_lib.data_inputs(self._view.node(name))
                stack += [self.source(i) for i in inputs]
        return seen

    def result(self) -> tf.GraphDef:
        """The graph with every tensor replaced by what it is."""
        source = self._view.graph_def
        graph_def = tf.GraphDef(versions=source.versions, library=source.library)
        graph_def.node.extend(self._rewritten(node) for node in source.node)
        return graph_def

    def _rewritten(self, node: tf.NodeDef) -> tf.NodeDef:
        own = TensorRef(node.name, 0)
        found = self.source(own) if node.op in MERGE_OPS else own
        if found != own:
            new = tf.NodeDef(name=node.name, op='Identity', input=[found.as_input])
            for key in ('T', view_lib.OUTPUT_SHAPES):
                if key in node.attr:
                    new.attr[key].CopyFrom(node.attr[key])
            if view_lib.OUTPUT_SHAPES in new.attr:
                del new.attr[view_lib.OUTPUT_SHAPES].list.shape[1:]
            return new
        new = tf.NodeDef()
        new.CopyFrom(node)
        for position, name in enumerate(node.input):
            if not names.is_control(name):
                ref = names.parse_tensor(name)
                found = self.source(ref)
                if found != ref:
                    new.input[position] = found.as_input
        return new


def _logical(op: str, values: Sequence[Optional[bool]]) -> Optional[bool]:
    """A logical op on values of which some are not known."""
    if op == 'LogicalNot':
        return None if values[0] is None else not values[0]
    decisive = op == 'LogicalOr'
    if decisive in values:
        return decisive
    return None if None in values else not decisive
