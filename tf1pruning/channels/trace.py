"""Interprets an inference graph once, with channel labels on every tensor.

The driver walks the nodes in order and hands each to the rule of its op type. A node
without a rule, or with an attribute no rule was written for, freezes the channels that
reach it; everything else goes on.

What is computed from variables and constants alone, such as a masked kernel, has rules
of its own (`COMPUTED`), and is a weight like a variable. There nothing is ever frozen:
what no rule follows can be folded to a constant.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.channels import values as values_lib
from tf1pruning.channels.computation import Computation
from tf1pruning.channels.labels import Channels, LabelSpace
from tf1pruning.channels.registry import NodeView, Registry, Unsupported
from tf1pruning.channels.trace_result import (
    SCALE,
    IndexUse,
    Kernel,
    Part,
    SizeUse,
    StatedShape,
    Summation,
    Trace,
    Use,
)
from tf1pruning.channels.values import (
    Activation,
    Carrier,
    Constant,
    Elements,
    IfZero,
    Size,
    Sizes,
    Unranked,
    Value,
    Weight,
)
from tf1pruning.graph import nodes
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.view import Shape
from tf1pruning.names import TensorRef

RULES = Registry('label')
COMPUTED = Registry('computed weight')


def trace(model: InferenceGraph) -> Trace:
    """Follows the channels through a model."""
    tracer = Tracer(model)
    for node in model.graph_def.node:
        tracer.visit(node)
    for name in model.outputs:
        for value in tracer.values[name]:
            tracer.freeze_value(value, 'is a model output')
    return tracer.result()


class Op(NodeView):
    """A node as a rule sees it; the rule records here what it finds.

    Every reason for freezing that a rule gives is completed by the name of the node.
    """

    def __init__(self, node: tf.NodeDef, inputs: Sequence[Value], tracer: Tracer):
        super().__init__(node, tracer.view)
        self.inputs = inputs
        self.tracer = tracer

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.node.name

    @property
    def type(self) -> str:
        """Op type."""
        return self.node.op

    def sources(self) -> List[tf.NodeDef]:
        """The nodes that the inputs come from."""
        return self.tracer.view.inputs(self.node)

    def activation(self, position: int, axis: Optional[int] = None) -> Activation:
        """Input number `position` as a tensor with labels.

        Args:
          position: number of the input.
          axis: channel axis of a weight with several long axes, counted from the end
            (-1 the last); None: it may have one long axis only.

        Raises:
          Unsupported: if it is a weight with several axes.
        """
        value = self.inputs[position]
        if isinstance(value, Activation):
            return value
        if isinstance(value, Sizes):
            self.freeze_value(value, 'has its size used as a number')
            return values_lib.fixed(value.array.shape)
        if isinstance(value, Constant) and np.prod(value.shape) == 1:
            return values_lib.fixed(value.shape)
        weight = self.weight(position)
        long = list(weight.long_axes)
        rank = len(weight.shape)
        if len(long) > 1:
            if axis is None or rank + axis not in long:
                raise Unsupported(f'weight {weight.source!r} with several axes')
            for other in set(long) - {rank + axis}:
                self.freeze(weight.axes[other], 'is no channel axis')
            long = [rank + axis]
        if not long:
            return values_lib.fixed(weight.shape)
        return Activation(
            weight.shape, layout.along(weight.axes[long[0]], long[0], rank)
        )

    def weight(self, position: int) -> Weight:
        """Input number `position`: a variable, or a constant that becomes a weight.

        Raises:
          Unsupported: if it depends on the input of the network.
        """
        value = self.inputs[position]
        if isinstance(value, Weight):
            return value
        if not isinstance(value, Constant):
            raise Unsupported(f'input {position} that depends on the input')
        self.tracer.weight_readers.add((self.name, value.node.name))
        return self.tracer.make_weight(value.node.name, value.shape)

    def kernel_like(self, position: int) -> Optional[Weight]:
        """Input number `position` if it is a weight with several axes, else None."""
        value = self.inputs[position]
        is_kernel = isinstance(value, Constant) and len(value.long_axes) > 1
        is_weight = isinstance(value, Weight) or is_kernel
        return self.weight(position) if is_weight else None

    def constant(self, position: int) -> np.ndarray:
        """Value of an input that is constant, or computed of known numbers.

        Raises:
          Unsupported: if it is neither.
        """
        value = self.inputs[position]
        if isinstance(value, Constant):
            return value.value
        if isinstance(value, Sizes):
            numbers = [item.number for item in value.items]
            if None not in numbers:
                return np.reshape(numbers, value.array.shape)
        raise Unsupported(f'input {position} that is not a constant')

    def unify(self, left: np.ndarray, right: np.ndarray, reason: str) -> None:
        """Unifies labels, see `LabelSpace.unify`."""
        self.tracer.labels.unify(left, right, f'{reason} in {self.name!r}')

    def join(self, left: np.ndarray, right: np.ndarray, reason: str) -> np.ndarray:
        """Unifies labels and returns them, see `LabelSpace.join`."""
        return self.tracer.labels.join(left, right, f'{reason} in {self.name!r}')

    def freeze(self, labels: np.ndarray, reason: str) -> None:
        """Freezes labels."""
        self.tracer.labels.freeze(labels, f'{reason} in {self.name!r}')

    def freeze_value(self, value: Value, reason: str) -> None:
        """Freezes every label of a value."""
        self.tracer.freeze_value(value, f'{reason} in {self.name!r}')

    def use(self, weight: Weight, axis: int, role: str) -> np.ndarray:
        """Records that the op reads a weight along `axis`; returns its labels there."""
        for each in weight.carriers[axis]:
            own = weight.role_of(each, axis, role, self.tracer.trainable)
            is_kept = each.if_zero != IfZero.ZERO
            self.tracer.uses.append(
                Use(self.name, each.source, each.axis, own, is_kept)
            )
        return weight.axes[axis]

    def kernel(
        self,
        weight: Weight,
        in_axis: int,
        out_axis: int,
        positions: Optional[int],
        taps: int = 1,
        borders: bool = False,
        reads: int = 0,
    ) -> None:
        """Records a convolution or dense layer, see `Kernel`; axes as the op sees them.

        Raises:
          Unsupported: if the weight has no such axis.
        """
        axes = weight.source_axes[in_axis], weight.source_axes[out_axis]
        if axes[0] is None or axes[1] is None:
            raise Unsupported('a kernel without an input or output axis')
        kernel = Kernel(
            node=self.name,
            op=self.type,
            reads=reads,
            source=weight.source,
            positions=positions,
            in_axis=axes[0],
            out_axis=axes[1],
            taps=taps,
            borders=borders,
            rounds=weight.rounds,
            variable=weight.variable(out_axis, self.tracer.trainable),
            share=weight.share,
        )
        self.tracer.kernels.append(kernel)
        self.tracer.computation.note(kernel, weight, in_axis, out_axis)

    def summation(self, reads: Sequence[Tuple[int, int]], labels: np.ndarray) -> None:
        """Records a sum over channels, see `Summation`."""
        found = Summation(self.name, tuple(reads), labels)
        self.tracer.summations.append(found)

    def index(self, position: int, labels: np.ndarray) -> None:
        """Records that a constant input indexes `labels`.

        Raises:
          Unsupported: if the indices are computed.
        """
        value = self.inputs[position]
        if not isinstance(value, Constant):
            raise Unsupported('computed indices')
        use = IndexUse(self.name, position, value.node.name, labels)
        self.tracer.indices.append(use)

    def part(self, labels: np.ndarray) -> np.ndarray:
        """Records that `labels` must not all go; returns them.

        Raises:
          Unsupported: if there are none.
        """
        if not labels.size:
            raise Unsupported('an empty part')
        self.tracer.parts.append(Part(self.name, labels))
        return labels

    def states_shape(self, node: str, attribute: str, labels: np.ndarray) -> None:
        """Records that an attribute states the shape of a tensor with `labels`."""
        self.tracer.stated.append(StatedShape(node, attribute, labels.ravel()))

    def size(self, size: Size, labels: np.ndarray) -> None:
        """Records that a constant size counts `labels`.

        Raises:
          Unsupported: if no constant fixes it.
        """
        if size.value is None:
            raise Unsupported('a computed size')
        use = SizeUse(
            size.consumer, size.position, size.node, size.element, size.value, labels
        )
        self.tracer.sizes.append(use)


def _unknown(shape: Optional[Shape]) -> Value:
    """A tensor of which nothing but its shape is known."""
    return Unranked() if shape is None else values_lib.fixed(shape)


class Tracer:
    """State of one trace."""

    def __init__(self, model: InferenceGraph):
        self.model = model
        self.view = model.view()
        self.labels = LabelSpace()
        self.values: Dict[str, Tuple[Value, ...]] = {}
        self.uses: List[Use] = []
        self.kernels: List[Kernel] = []
        self.summations: List[Summation] = []
        self.sizes: List[SizeUse] = []
        self.stated: List[StatedShape] = []
        self.indices: List[IndexUse] = []
        self.parts: List[Part] = []
        # Pairs of an op and a Const node that it reads as a weight.
        self.weight_readers: Set[Tuple[str, str]] = set()
        self.partitioned = {v.node for v in model.variables if v.offset is not None}
        self.trainable = {v.node for v in model.variables if v.trainable}
        self._weights: Dict[str, Weight] = {}
        self._unsupported: List[str] = []
        self._lost: Dict[str, str] = {}
        # Const node -> why its values must stay as they are.
        self._frozen_constants: Dict[str, str] = {}
        self.computation = Computation(self.view, self.labels)

    def visit(self, node: tf.NodeDef) -> None:
        """Finds the values of one node, whose inputs have theirs."""
        refs = self.view.refs(node)
        inputs = [self._value(ref) for ref in refs]
        self.computation.visit(node, refs)
        result = self._weight_of(node, inputs) or self._traced(node, inputs)
        results = result if isinstance(result, tuple) else (result,)
        self.values[node.name] = results
        for value in inputs:
            if not values_lib.is_handed_on(value, results):
                self._read(value)
            if not isinstance(value, Constant) or value in results:
                continue
            if (node.name, value.node.name) not in self.weight_readers:
                self.freeze_value(value, f'is read as numbers by {node.name!r}')

    def _traced(
        self, node: tf.NodeDef, inputs: Sequence[Value]
    ) -> Union[Value, Tuple[Value, ...]]:
        """What the rule of a node gives."""
        try:
            if any(isinstance(value, Unranked) for value in inputs):
                raise Unsupported('an input of unknown rank')
            result: Union[Value, Tuple[Value, ...]]
            result = RULES.apply(node, Op(node, inputs, self))
            return result
        except Unsupported as error:
            return self._not_followed(node, inputs, str(error))

    def _weight_of(self, node: tf.NodeDef, inputs: Sequence[Value]) -> Optional[Weight]:
        """The weight that a node computes from others; None if it computes none."""
        if not self.computation.makes_weight(node, inputs):
            return None
        try:
            found: Weight = COMPUTED.apply(node, Op(node, inputs, self))
            return found
        except Unsupported:
            return self.computation.unfollowed(node)

    def _read(self, value: Value) -> None:
        """Something else than another weight is computed of a value."""
        if isinstance(value, Weight) and value.is_computed:
            source = value.source
            self._weights[source] = self.computation.weights[source]

    def _value(self, ref: TensorRef) -> Value:
        # The last turn of a loop has no value yet, and never one with channels.
        outputs = self.values.get(ref.node, ())
        if ref.output < len(outputs):
            return outputs[ref.output]
        return _unknown(self.view.shape(ref))

    def _not_followed(
        self, node: tf.NodeDef, inputs: Sequence[Value], reason: str
    ) -> Value:
        if node.op not in RULES.ops() and node.op not in self._unsupported:
            self._unsupported.append(node.op)
        if node.op in nodes.LAYER_OPS:
            self._lost[node.name] = reason
        for value in inputs:
            self.freeze_value(value, f'reaches {node.name!r}: {reason}')
        return _unknown(self.view.shape(TensorRef(node.name, 0)))

    def freeze_value(self, value: Value, reason: str) -> None:
        """Freezes every label of a value."""
        if isinstance(value, Activation):
            self.labels.freeze(value.labels, reason)
        elif isinstance(value, Weight):
            self._read(value)
            for axis in value.axes:
                self.labels.freeze(axis, reason)
        elif isinstance(value, Sizes):
            self.labels.freeze(value.labels(), reason)
        elif isinstance(value, Elements):
            self.labels.freeze(value.element.labels, reason)
        elif isinstance(value, Constant):
            # It may turn out to be a weight, where another op reads it.
            self._frozen_constants.setdefault(value.node.name, reason)

    def make_weight(self, source: str, shape: Tuple[int, ...]) -> Weight:
        """The weight of a node, made once."""
        if source not in self._weights:
            axes = tuple(self.labels.fresh(size) for size in shape)
            own = tuple(range(len(shape)))
            is_kernel = sum(size > 1 for size in shape) > 1
            carriers = tuple((Carrier(source, axis, is_kernel),) for axis in own)
            self._weights[source] = Weight(source, shape, axes, own, carriers)
        return self._weights[source]

    def result(self) -> Trace:
        """Resolves the labels."""
        for source, reason in self._frozen_constants.items():
            if source in self._weights:
                reason = f'constant {source!r} {reason}'
                self.freeze_value(self._weights[source], reason)
        channels = self.labels.resolve()
        of_label = channels.of_label
        found = self.computation.never_zero(channels, self._scaled(channels))
        return Trace(
            model=self.model,
            weights={
                name: tuple(of_label[axis] for axis in weight.axes)
                for name, weight in self._weights.items()
            },
            computed=frozenset(self.computation.weights).intersection(self._weights),
            uses=tuple(self.uses),
            kernels=tuple(self.kernels),
            summations=tuple(
                s._replace(labels=of_label[s.labels]) for s in self.summations
            ),
            sizes=tuple(s._replace(labels=of_label[s.labels]) for s in self.sizes),
            stated=tuple(s._replace(labels=of_label[s.labels]) for s in self.stated),
            indices=tuple(i._replace(labels=of_label[i.labels]) for i in self.indices),
            parts=tuple(p._replace(labels=of_label[p.labels]) for p in self.parts),
            count=len(of_label),
            frozen={**found, **channels.reasons},
            unsupported=tuple(self._unsupported),
            lost=self._lost,
            independent=frozenset(self.computation.independent),
        )

    def _scaled(self, channels: Channels) -> Set[int]:
        """Channels that zeros in a scale make zero."""
        return {
            channel
            for use in self.uses
            if use.role == SCALE and not use.is_kept
            for channel in channels.of_label[
                self._weights[use.source].axes[use.axis]
            ].tolist()
        }
