"""What is computed from variables and constants alone, as far as a trace has come."""

from __future__ import annotations

from typing import Collection, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import families
from tf1pruning.channels.labels import Channels, LabelSpace
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace_result import Kernel
from tf1pruning.channels.values import Carrier, Constant, IfZero, Value, Weight
from tf1pruning.graph import draws, nodes
from tf1pruning.graph.pipelines import PYTHON_OPS
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.graph.view import GraphView
from tf1pruning.names import TensorRef, op_types

# Their outputs are not decided by their inputs, or are not computed at each run.
_UNDECIDED = frozenset((*nodes.INPUT_OPS, *PYTHON_OPS)).union(
    op_types('Enter Exit LoopCond Merge NextIteration Switch')
)
# Their rules hand a weight on as it is, or ask for its sizes.
_VIEWS = frozenset(('ExpandDims', 'IdentityN', 'Shape', 'Squeeze', 'Transpose')).union(
    families.HAND_ON.ops
)
# Of a vector, too, they make a weight; others make scales of it.
_ROUNDING = op_types(
    'Cast FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars '
    'FakeQuantWithMinMaxVarsPerChannel'
).union(families.ROUNDING.ops)
# Of a variable they take a part, which other rules follow.
_PARTING = frozenset(('Split', 'SplitV', 'StridedSlice'))


class Computation:
    """The nodes that depend on no input, and the weights that some of them compute.

    Attributes:
      independent: names of the nodes.
      weights: name of a node -> the weight that it computes.
    """

    def __init__(self, view: GraphView, labels: LabelSpace):
        self.independent: Set[str] = set()
        self.weights: Dict[str, Weight] = {}
        self._view = view
        self._labels = labels
        # Layers that make, or read, channels along an axis of a computed kernel where
        # zeros in no variable make its slice zero; with the labels of the axis.
        self._makers: List[Tuple[str, np.ndarray]] = []
        self._readers: List[Tuple[str, np.ndarray]] = []

    def visit(self, node: tf.NodeDef, refs: Sequence[TensorRef]) -> None:
        """Finds whether a node, whose inputs were visited, depends on no input."""
        decided = all(ref.node in self.independent for ref in refs)
        if not refs:
            decided = node.op == 'Const' or node.op in VARIABLE_OPS
        if decided and node.op not in _UNDECIDED and not draws.is_random(node):
            self.independent.add(node.name)

    def makes_weight(self, node: tf.NodeDef, inputs: Sequence[Value]) -> bool:
        """Whether a node computes a weight of others, and no vector or size."""
        if node.name not in self.independent or node.op in _VIEWS:
            return False
        if node.op in _PARTING and not any(map(_is_computed, inputs)):
            return False
        is_rounded = node.op in _ROUNDING and isinstance(inputs[0], Weight)
        return is_rounded or any(map(_is_weight, inputs))

    def add(
        self,
        name: str,
        axes: Sequence[Optional[np.ndarray]],
        carriers: Sequence[Tuple[Carrier, ...]],
        rounds: bool,
    ) -> Weight:
        """The weight that a node computes.

        Args:
          name: of the node.
          axes: label vector per axis; None: it gets channels of its own.
          carriers: per axis, what it follows.
          rounds: whether it was rounded to 16-bit floats.

        Raises:
          Unsupported: if its shape is not known.
        """
        shape = self._view.shape(TensorRef(name, 0))
        if shape is None or None in shape:
            raise Unsupported('a computed weight of unknown shape')
        sizes = tuple(size or 0 for size in shape)
        pairs = zip(axes, sizes)
        weight = self.weights[name] = Weight(
            source=name,
            shape=sizes,
            axes=tuple(self._labels.fresh(n) if a is None else a for a, n in pairs),
            source_axes=tuple(range(len(sizes))),
            carriers=tuple(carriers),
            is_computed=True,
            rounds=rounds,
        )
        return weight

    def unfollowed(self, node: tf.NodeDef) -> Optional[Weight]:
        """A weight of whose axes nothing is known; None if it cannot be a constant."""
        ref = TensorRef(node.name, 0)
        shape = self._view.shape(ref)
        is_only = all(edge.output == 0 for edge in self._view.consumers(node.name))
        if shape is None or not is_only or not self._view.dtype(ref).is_floating:
            return None
        try:
            return self.add(node.name, [None] * len(shape), [()] * len(shape), False)
        except Unsupported:
            return None

    def note(self, kernel: Kernel, weight: Weight, in_axis: int, out_axis: int) -> None:
        """Notes whether zeros in variables can silence a layer.

        Args:
          kernel: the layer.
          weight: its kernel; the axes are counted as seen here.
          in_axis: its input axis.
          out_axis: its output axis.
        """
        if not weight.is_computed or in_axis == out_axis:
            return
        for axis, unmoved in ((out_axis, self._makers), (in_axis, self._readers)):
            carriers = weight.carriers[axis]
            if all(each.if_zero != IfZero.ZERO for each in carriers):
                unmoved.append((kernel.node, weight.axes[axis]))

    def never_zero(
        self, channels: Channels, scaled: Collection[int]
    ) -> Dict[int, Tuple[str, ...]]:
        """Channels that no zeros can make, or leave, without influence -> the reason.

        Args:
          channels: of the labels.
          scaled: channels that zeros in a scale make zero.
        """
        of_label = channels.of_label
        found: Dict[int, Tuple[str, ...]] = {}
        for reader, read in self._readers:
            for maker, made in self._makers:
                both = np.intersect1d(of_label[read], of_label[made]).tolist()
                reason = (
                    f'zeros in variables make neither the kernel of {maker!r} nor that '
                    f'of {reader!r} zero'
                )
                found.update({each: (reason,) for each in both if each not in scaled})
        return found


def _is_computed(value: Value) -> bool:
    return isinstance(value, Weight) and value.is_computed


def _is_weight(value: Value) -> bool:
    """Whether what is computed of a value is a weight, and no vector or size."""
    if isinstance(value, Weight):
        return value.is_computed or len(value.long_axes) > 1
    if not isinstance(value, Constant):
        return False
    is_float = tf.as_dtype(value.node.attr['dtype'].type).is_floating
    return is_float and len(value.long_axes) > 1
