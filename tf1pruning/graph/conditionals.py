"""Takes the inference branch of conditionals that a training flag decides.

`tf.cond`, and with it Keras and `tf.layers` under a learning phase, writes Switch and
Merge nodes. Where the predicate follows from constants and training flags, each Switch
is replaced by its data and each Merge by its living input. A training flag is a scalar
boolean that nothing computes: a placeholder, with or without a default, or a variable;
or the comparison of a placeholder with a constant, if one branch is for training alone.
Conditionals that control flow v2 writes have this form too (`graph.functions`).

In inference a flag is false, unless that leads through more training-only ops (batch
norm in training mode, random ops) than true does: some flags are called `is_inference`.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.model import INPUT_OPS
from tf1pruning.names import TensorRef

SWITCH_OPS = ('Switch', 'RefSwitch')
MERGE_OPS = ('Merge', 'RefMerge')
_FLAG_OPS = ('Placeholder', 'PlaceholderWithDefault', 'VariableV2', 'VarHandleOp')
_COMPARISONS = ('Equal', 'NotEqual')
_SAME_OPS = ('Identity', 'ReadVariableOp', 'Reshape', 'Squeeze', 'Cast')
_LOGICAL: Dict[str, Callable[..., bool]] = {
    'LogicalAnd': lambda x, y: x and y,
    'LogicalNot': lambda x: not x,
    'LogicalOr': lambda x, y: x or y,
}

Flags = Mapping[str, bool]
IsTrainingOnly = Callable[[tf.NodeDef], bool]


def without_conditionals(
    graph_def: tf.GraphDef, outputs: Sequence[str], is_training_only: IsTrainingOnly
) -> tf.GraphDef:
    """The graph without the conditionals that training flags decide.

    Args:
      graph_def: the graph; not changed.
      outputs: names of the nodes that matter.
      is_training_only: whether a node has no place in inference.
    """
    if not any(node.op in SWITCH_OPS for node in graph_def.node):
        return graph_def
    view = view_lib.GraphView(graph_def)
    flags: Dict[str, bool] = {}
    for name in _flags(view):
        counts = [
            _Resolver(view, {**flags, name: value}).count(outputs, is_training_only)
            for value in (False, True)
        ]
        # A mode may mean something else, so it is decided only where that shows.
        if counts[0] != counts[1] or view.node(name).op not in _COMPARISONS:
            flags[name] = counts[1] < counts[0]
    return _with_reads_outside(_Resolver(view, flags).result())


def check_remaining(graph_def: tf.GraphDef) -> None:
    """Checks that the conditionals that depend on data work as they are.

    A model has no control dependencies. So a branch must read something from outside,
    or it would run even if it is not taken.

    Args:
      graph_def: nodes, each after its inputs.

    Raises:
      GraphError: names the conditionals with a branch that reads nothing.
    """
    switched: Set[str] = set()
    found: List[str] = []
    for node in graph_def.node:
        behind = [ref.node in switched for ref in view_lib.data_inputs(node)]
        if node.op in MERGE_OPS and not all(behind):
            found.append(node.name)
        if node.op in SWITCH_OPS or any(behind):
            switched.add(node.name)
    if found:
        raise GraphError(
            f'Conditionals {names.quoted(found)} depend on data, and a branch of them '
            'gives a constant or a variable. That is not supported. Name an input '
            'behind them in the input map, or outputs before them.'
        )


def _with_reads_outside(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Reads resource variables before the conditionals that are left.

    So a variable is always read by a node that names it, and not a Switch.
    """
    view = view_lib.GraphView(graph_def)
    result = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        is_read = node.op == 'ReadVariableOp'
        result.node.extend(_read_outside(view, node) if is_read else [node])
    return result


def _read_outside(view: view_lib.GraphView, node: tf.NodeDef) -> List[tf.NodeDef]:
    handle = view_lib.data_inputs(node)[0]
    switches: List[TensorRef] = []
    while view.node(handle.node).op in SWITCH_OPS:
        switches.append(handle)
        handle = view_lib.data_inputs(view.node(handle.node))[0]
    if not switches:
        return [node]
    read = tf.NodeDef(
        name=f'{node.name}/outside', op='ReadVariableOp', input=[handle.as_input]
    )
    read.attr['dtype'].CopyFrom(node.attr['dtype'])
    found, last = [read], read.name
    for i, ref in enumerate(reversed(switches)):
        condition = view_lib.data_inputs(view.node(ref.node))[1].as_input
        switch = tf.NodeDef(
            name=f'{node.name}/switch_{i}', op='Switch', input=[last, condition]
        )
        found.append(switch)
        last = TensorRef(switch.name, ref.output).as_input
    found.append(tf.NodeDef(name=node.name, op='Identity', input=[last]))
    for new in found[1:]:
        new.attr['T'].CopyFrom(node.attr['dtype'])
    return found


def _flags(view: view_lib.GraphView) -> List[str]:
    """Training flags that decide a Switch, in graph order."""
    found: Dict[str, None] = {}
    for node in view:
        if node.op in SWITCH_OPS:
            stack = [view_lib.data_inputs(node)[1]]
            seen: Set[str] = set()
            while stack:
                source = view.node(stack.pop().node)
                if source.name in seen:
                    continue
                seen.add(source.name)
                is_flag = source.op in _FLAG_OPS and _is_boolean(source)
                if is_flag or _compares_mode(view, source):
                    found[source.name] = None
                elif source.op in (*_SAME_OPS, *_LOGICAL, *SWITCH_OPS):
                    stack += view_lib.data_inputs(source)
    return list(found)


def _compares_mode(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    """Whether a node compares a placeholder with a constant: `mode == 'train'`."""
    if node.op not in _COMPARISONS or view.shape(TensorRef(node.name, 0)) != ():
        return False
    ops = [source.op for source in view.inputs(node)]
    return 'Const' in ops and any(op in INPUT_OPS for op in ops)


def _is_boolean(node: tf.NodeDef) -> bool:
    return view_lib.attribute(node, 'dtype').type == tf.bool.as_datatype_enum


class _Resolver:
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
        if node.op in (*_SAME_OPS, *SWITCH_OPS):
            return self.value(inputs[0])
        if node.op in _LOGICAL:
            values = [self.value(i) for i in inputs]
            return None if None in values else _LOGICAL[node.op](*values)
        return None

    def source(self, ref: TensorRef) -> TensorRef:
        """What a tensor is, once the conditionals that are decided are gone."""
        while True:
            node = self._view.node(ref.node)
            inputs = view_lib.data_inputs(node)
            if node.op in SWITCH_OPS and self.value(inputs[1]) is not None:
                ref = inputs[0]
            elif node.op in MERGE_OPS and self._decided(inputs) and ref.output == 0:
                ref = next(i for i in inputs if self.is_alive(i))
            else:
                return ref

    def _decided(self, inputs: Sequence[TensorRef]) -> bool:
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

    def count(self, outputs: Sequence[str], wanted: IsTrainingOnly) -> int:
        """Number of wanted nodes that the outputs need."""
        seen: Set[str] = set()
        stack = [self.source(TensorRef(names.node_name(o), 0)) for o in outputs]
        while stack:
            name = stack.pop().node
            if name not in seen:
                seen.add(name)
                inputs = view_lib.data_inputs(self._view.node(name))
                stack += [self.source(i) for i in inputs]
        return sum(wanted(self._view.node(name)) for name in seen)

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
