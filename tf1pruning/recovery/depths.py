"""The order of repair: which layers go together, and what is alive between them.

A layer's *depth* is the number of layers to repair that lie before it, on the longest
way. Layers of one depth do not depend on each other, so they are repaired in one pass.
"""

from __future__ import annotations

from typing import Collection, Dict, Iterable, List, Sequence

from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef
from tf1pruning.recovery.twins import Twins


class Depths:
    """The depths of a network's layers.

    Args:
      twins: the network and its twin.
      layers: nodes of the layers to repair.
      wanted: all tensors that any pass fetches.
    """

    def __init__(
        self, twins: Twins, layers: Collection[str], wanted: Iterable[TensorRef]
    ):
        self._twins = twins
        self._layers = set(layers)
        view = twins.view()
        before = {node.name for node in view.before([ref.node for ref in wanted])}
        self._depths: Dict[str, int] = {}
        self._born: Dict[str, int] = {}
        self._last: Dict[TensorRef, int] = {}
        on_input = moving(view)
        for node in view:
            refs = view.refs(node)
            # Of a loop, what makes the next turn comes later.
            own = max((self._born.get(ref.node, 0) for ref in refs), default=0)
            self._depths[node.name] = own
            self._born[node.name] = own + (twins.owner(node.name) in self._layers)
            if node.name in before:
                for ref in refs:
                    if ref.node in on_input:
                        last = max(self._last.get(ref, 0), self._born[node.name])
                        self._last[ref] = last

    def of(self, layer: str) -> int:
        """The depth of a layer."""
        return self._depths[layer]

    def is_repaired(self, ref: TensorRef, depth: int) -> bool:
        """Whether no layer of a depth or a deeper one lies before a tensor."""
        return self._born[ref.node] <= depth

    def stages(self) -> List[List[str]]:
        """The layers, those of one depth together, the first first."""
        found: Dict[int, List[str]] = {}
        for node in self._twins.view():
            if node.name in self._layers:
                found.setdefault(self._depths[node.name], []).append(node.name)
        return [found[depth] for depth in sorted(found)]

    def alive(self, depth: int) -> Sequence[TensorRef]:
        """The tensors that layers of a depth and deeper ones need of all before them.

        Returns:
          Tensors that depend on the input; none, if one lies in a loop or a branch.
        """
        found = [
            ref
            for ref, last in self._last.items()
            if self._born[ref.node] <= depth < last
        ]
        return [] if any(ref.node in self._twins.inside for ref in found) else found


def moving(view: view_lib.GraphView) -> Collection[str]:
    """The nodes that depend on the input, the inputs included."""
    inputs = [node.name for node in view if node.op.startswith('Placeholder')]
    return {*inputs, *(edge.node.name for edge in view.edges_behind(inputs))}
