"""Finds the channels that do not depend on the input, and their values.

The graph is interpreted once more, now with numbers: every tensor becomes an array of
its rank, with size 1 on axes along which nothing changes, that holds the value of a
channel if it provably does not depend on the input, else NaN ("varying"). Ordinary
NumPy arithmetic then does the right thing, but for `0 * varying = 0` and for kernels.

An op without a rule makes everything varying, which is always safe. Weights are assumed
to be finite.
"""

from __future__ import annotations

import collections
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.channels.registry import NodeView, Registry, Unsupported
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef

RULES = Registry('constant')

VARYING = np.nan
# The value of a tensor of unknown rank, which no rule sees.
UNRANKED = np.full((), VARYING)


class ConstantOp(NodeView):
    """A node as a rule sees it, with sizes that have to be known."""

    def output_size(self, output: int, axis: int) -> int:
        """Static size of an output along an axis.

        Raises:
          Unsupported: if it is unknown.
        """
        return _known_size(self.shape(output), axis)

    def input_size(self, position: int, axis: int) -> int:
        """Static size of an input along an axis.

        Raises:
          Unsupported: if it is unknown.
        """
        return _known_size(self.input_shape(position), axis)

    def channel_axis(self) -> int:
        """Axis of the channels, from `data_format`.

        Raises:
          Unsupported: on another format.
        """
        return layout.channel_axis(self.node, len(self.input_shape(0)))


def _known_size(shape: view_lib.Shape, axis: int) -> int:
    size = shape[axis]
    if size is None:
        raise Unsupported('unknown size')
    return size


class Step(NamedTuple):
    """A node, with the values of its inputs and outputs: NaN where they vary."""

    node: tf.NodeDef
    inputs: Sequence[np.ndarray]
    outputs: Sequence[np.ndarray]


def interpret(
    model: InferenceGraph, arrays: Mapping[str, np.ndarray]
) -> Iterator[Step]:
    """Goes through a model, each node after its inputs.

    Values are forgotten after their last use, so that large weights are not in memory
    together.

    Args:
      model: the inference graph.
      arrays: variable node -> array; read one after the other.
    """
    view = model.view()
    values: Dict[TensorRef, np.ndarray] = {}
    left = collections.Counter(ref for node in view for ref in view.refs(node))
    for node in view:
        refs = view.refs(node)
        inputs = [values[ref] if ref in values else _varying(view, ref) for ref in refs]
        outputs = _outputs(node, inputs, view, arrays)
        values.update(
            (TensorRef(node.name, output), value)
            for output, value in enumerate(outputs)
        )
        left.subtract(refs)
        for ref in refs:
            if not left[ref]:
                values.pop(ref, None)
        yield Step(node, inputs, outputs)


def _outputs(
    node: tf.NodeDef,
    inputs: List[np.ndarray],
    view: view_lib.GraphView,
    arrays: Mapping[str, np.ndarray],
) -> Sequence[np.ndarray]:
    if node.name in arrays:
        return (arrays[node.name],)
    try:
        return _ruled(node, inputs, view)
    except Unsupported:  # Varying is always a safe answer.
        return (_varying(view, TensorRef(node.name, 0)),)


def _ruled(
    node: tf.NodeDef, inputs: List[np.ndarray], view: view_lib.GraphView
) -> Sequence[np.ndarray]:
    if any(value is UNRANKED for value in inputs):
        raise Unsupported('an input of unknown rank')
    if any(value.dtype.kind not in 'biuf' for value in inputs):
        raise Unsupported('strings or complex numbers')
    with np.errstate(all='ignore'):
        result = RULES.apply(node, ConstantOp(node, view), inputs)
    results = result if isinstance(result, (list, tuple)) else (result,)
    for output, value in enumerate(results):
        shape = view.shape(TensorRef(node.name, output))
        if shape is None or not layout.fits(value.shape, shape):
            raise Unsupported(f'{value.shape} values in a tensor {shape}')
    return results


def _varying(view: view_lib.GraphView, ref: TensorRef) -> np.ndarray:
    shape = view.shape(ref)
    return UNRANKED if shape is None else np.full((1,) * len(shape), VARYING)


def channel_vector(value: np.ndarray, axis: int, size: int) -> np.ndarray:
    """`[size]` values along one axis; varying if they change along another.

    Raises:
      Unsupported: if there are not as many.
    """
    other = tuple(a for a in range(value.ndim) if a != axis)
    if any(value.shape[a] > 1 for a in other):
        low, high = value.min(axis=other), value.max(axis=other)
        value = np.where(low == high, low, VARYING)
    if value.size not in (1, size):
        raise Unsupported(f'{value.size} channels for {size}')
    return np.broadcast_to(np.ravel(value), (size,))


def whole_numbers(value: np.ndarray) -> List[int]:
    """The elements of a vector of sizes.

    Raises:
      Unsupported: if they vary.
    """
    flat = np.ravel(value)
    if np.isnan(flat.astype(np.float64)).any():
        raise Unsupported('computed sizes')
    return [int(number) for number in flat]
