"""The unpruned network and the pruned one in one graph, which share what is the same.

A node that depends on a weight which differs has a twin; all others serve both. So a
part of both runs at once, and what no cut reaches is computed once.
"""

from __future__ import annotations

from typing import Collection, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import frames, nodes, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

_PREFIX = 'pruned'
# A loop's frame, by name; the twin of a loop has one of its own.
_FRAME = 'frame_name'


class Twins:
    """A frozen network, and its twin with other constants.

    Args:
      frozen: the network, each node after its inputs; not changed.
      constants: node -> array in its place in the twin: of weights that differ. What is
        not named is equal.

    Attributes:
      graph_def: both.
      inside: nodes in loops and branches, whose values cannot be fetched.
    """

    def __init__(self, frozen: tf.GraphDef, constants: Mapping[str, np.ndarray]):
        view = view_lib.GraphView(frozen)
        self._constants = dict(constants)
        self._twins = _twin_names(view, constants)
        found: List[tf.NodeDef] = []
        for node in frozen.node:
            found.append(node)
            if node.name in self._twins:
                found.append(self._twin_of(node, view))
        self.graph_def = nodes.with_nodes(frozen, found)
        self._view = view_lib.GraphView(self.graph_def)
        self._places = {n.name: p for p, n in enumerate(self.graph_def.node)}
        self.inside = frames.nodes_inside(self.graph_def)
        self._owners = {twin: name for name, twin in self._twins.items()}

    def view(self) -> view_lib.GraphView:
        """The index of both."""
        return self._view

    def twin(self, ref: TensorRef) -> TensorRef:
        """A tensor of the pruned network, by its name in the unpruned one."""
        return TensorRef(self._twins.get(ref.node, ref.node), ref.output)

    def is_changed(self, name: str) -> bool:
        """Whether a node has a twin."""
        return name in self._twins

    def owner(self, name: str) -> str:
        """The node of the unpruned network that a node is, or is the twin of."""
        return self._owners.get(name, name)

    def behind(self, name: str) -> Set[str]:
        """The nodes that depend on the twin of a constant."""
        edges = self._view.edges_behind([self._twins[name]])
        return {edge.node.name for edge in edges}

    def set_constants(self, constants: Mapping[str, np.ndarray]) -> None:
        """Gives constants of the twin other values; each must have a twin."""
        self._constants.update(constants)

    def part(
        self, fetches: Sequence[TensorRef], known: Collection[TensorRef]
    ) -> Tuple[tf.GraphDef, Dict[TensorRef, str]]:
        """What tensors need, from tensors that are known.

        Args:
          fetches: none of them known.
          known: tensors that are fed.

        Returns:
          The nodes between, and known tensor -> placeholder, of those that are needed.
        """
        fed = set(known)
        holders: Dict[TensorRef, str] = {}
        taken = {node.name for node in self.graph_def.node}

        def needed(name: str) -> List[str]:
            node = self._view.node(name)
            refs = [ref for ref in self._view.refs(node) if ref not in fed]
            controls = view_lib.control_inputs(node) if name in self.inside else []
            return [*(ref.node for ref in refs), *controls]

        reached = set(walk.reached([ref.node for ref in fetches], needed))

        def renamed(name: str) -> str:
            ref = names.parse_tensor(name)
            if names.is_control(name) or ref not in fed:
                return name
            if ref not in holders:
                holders[ref] = names.claim('known', taken)
            return holders[ref]

        found = [
            self._copied(
                self._view.node(name), map(renamed, self._inputs(name, reached))
            )
            for name in sorted(reached, key=self._places.__getitem__)
        ]
        for ref, holder in holders.items():
            dtype = self._view.dtype(ref)
            found.append(nodes.make_node(holder, 'Placeholder', [], dtype=dtype))
        return nodes.with_nodes(self.graph_def, found), holders

    def _inputs(self, name: str, reached: Collection[str]) -> List[str]:
        """The inputs of a node, but for control inputs from outside of a part."""
        return [
            each
            for each in self._view.node(name).input
            if not names.is_control(each) or names.node_name(each) in reached
        ]

    def _copied(self, node: tf.NodeDef, inputs: Iterable[str]) -> tf.NodeDef:
        owner = self._owners.get(node.name)
        if owner is not None and owner in self._constants:
            dtype = tf.as_dtype(node.attr['dtype'].type).as_numpy_dtype
            array = self._constants[owner].astype(dtype, copy=False)
            return nodes.array_constant(node.name, array)
        return nodes.copied(node, inputs)

    def _twin_of(self, node: tf.NodeDef, view: view_lib.GraphView) -> tf.NodeDef:
        if node.name in self._constants:
            # Its value is filled in by `part`.
            dtype = view.dtype(TensorRef(node.name, 0))
            return nodes.make_node(self._twins[node.name], 'Const', dtype=dtype)
        copy = nodes.copied(node, [self._renamed(name) for name in node.input])
        copy.name = self._twins[node.name]
        if _FRAME in copy.attr:
            copy.attr[_FRAME].s += f'/{_PREFIX}'.encode()
        return copy

    def _renamed(self, name: str) -> str:
        ref = names.parse_tensor(name)
        if names.is_control(name):
            return f'^{self._twins.get(ref.node, ref.node)}'
        return self.twin(ref).as_input


def _twin_names(view: view_lib.GraphView, constants: Collection[str]) -> Dict[str, str]:
    """Node -> name of its twin, of the constants and of all that depends on them."""
    changed = _changed(view, constants)
    taken = {node.name for node in view}
    return {
        node.name: names.claim(f'{_PREFIX}/{node.name}', taken)
        for node in view
        if node.name in changed
    }


def _changed(view: view_lib.GraphView, constants: Collection[str]) -> Set[str]:
    """The constants and all that depends on them; of a loop all of it or nothing."""
    loops: Dict[str, Set[str]] = {}
    for name, around in frames.loops_around(view).items():
        loops.setdefault(around[0], set()).add(name)
    found = set(constants)
    while True:
        found.update(edge.node.name for edge in view.edges_behind(list(found)))
        entered = [loop for loop, inside in loops.items() if inside & found]
        if not entered:
            return found
        for loop in entered:
            found |= loops.pop(loop)
