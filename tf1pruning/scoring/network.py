"""Runs a loss or a network as a TensorFlow graph, with values at spots."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, TypeVar

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import sessions
from tf1pruning.channels import layout
from tf1pruning.graph import frames, importing
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import channels_last, freeze
from tf1pruning.scoring import running
from tf1pruning.scoring.runnable import Runnable
from tf1pruning.scoring.spots import ActivationSpot, Column, Spot
from tf1pruning.sessions import Session

Key = TypeVar('Key')

_SPARSE_CROSS_ENTROPY = 'SparseSoftmaxCrossEntropyWithLogits'
_TWICE = 'Tf1PruningSparseSoftmaxCrossEntropy'


@tf.RegisterGradient(_TWICE)
def _sparse_cross_entropy_gradient(
    op: tf.Operation, gradient: tf.Tensor, _: tf.Tensor
) -> List[Optional[tf.Tensor]]:
    """The gradient of sparse cross entropy, which TF 1.15 does not derive again."""
    logits, labels = op.inputs
    share = tf.nn.softmax(logits)
    target = tf.one_hot(labels, tf.shape(logits)[-1], dtype=logits.dtype)
    return [tf.expand_dims(gradient, -1) * (share - target), None]


class Read(NamedTuple):
    """A tensor that a layer reads, and the axis of the channels in it."""

    tensor: tf.Tensor
    axis: int


class ConstantNetwork:
    """A loss or a network with its weights as constants, in a graph of its own.

    Args:
      runnable: the graph.
      arrays: variable node -> array.

    Attributes:
      graph: that of TensorFlow.
      loss: None: it is a network without one.
      what: it is, at the start of a message.

    Raises:
      GraphError: if it is not safe to run.
    """

    def __init__(self, runnable: Runnable, arrays: Mapping[str, np.ndarray]):
        frozen = freeze.freeze(runnable.model, arrays)
        for node in frozen.node:
            if node.op == _SPARSE_CROSS_ENTROPY:
                node.attr['_gradient_op_type'].s = _TWICE.encode()
        sessions.check(frozen, runnable.model.outputs, runnable.limits)
        self._nodes = {node.name: node for node in frozen.node}
        self._inside = frames.nodes_inside(frozen)
        self.graph = importing.import_graph(channels_last.channels_last(frozen))
        self.loss: Optional[tf.Tensor] = None
        if runnable.loss:
            self.loss = self.graph.get_tensor_by_name(f'{runnable.loss}:0')
        self.what = runnable.what
        self._constants = _constants(runnable, self.graph)
        self._arrays = arrays

    def variable(self, node: str) -> Optional[tf.Tensor]:
        """The value of a variable; None if nothing depends on it."""
        return self._constants.get(node)

    def read(self, node: str, reads: int, size: int) -> Optional[Read]:
        """What a layer reads; None if it is not known to be `size` channels.

        Also if nothing needs the layer, or it is in a loop or a branch.

        Args:
          node: the layer.
          reads: number of its input.
          size: of the channel axis.
        """
        if node in self._inside:
            return None
        try:
            inputs = view_lib.data_inputs(self._nodes[node])
            tensor = self.graph.get_tensor_by_name(str(inputs[reads]))
        except KeyError:
            return None
        if self._nodes[node].op == 'MatMul':
            # The sizes behind tf.layers.flatten are known to Python, not to the graph.
            other = 1 - reads
            kernel = self.graph.get_tensor_by_name(str(inputs[other]))
            tensor.set_shape(_product_shapes(self._nodes[node], kernel, other)[reads])
        if tensor.shape.ndims is None:
            return None
        axis = layout.channel_axis(self._nodes[node], tensor.shape.ndims)
        return Read(tensor, axis) if tensor.shape.as_list()[axis] == size else None

    def tensors(self, spot: Spot) -> Dict[str, tf.Tensor]:
        """Tensor name or variable node -> value; empty if not all are read."""
        if isinstance(spot, ActivationSpot):
            read = self.read(spot.node, spot.reads, spot.size)
            return {read.tensor.name: read.tensor} if read else {}
        found = {column.variable: self.variable(column.variable) for column in spot}
        return {} if None in found.values() else found

    def arranged(self, spot: Spot, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Values at a spot, such as those of `tensors`, with the channels of its group.

        Returns:
          `[batch, places, channels]` of an activation, `[channels, everything else]`
          of weights.
        """
        if isinstance(spot, ActivationSpot):
            read = self.read(spot.node, spot.reads, spot.size)
            assert read is not None, 'a spot that is reached'
            return _places(values[read.tensor.name], read.axis, spot.positions)
        return tf.concat([_rows(values[c.variable], c) for c in spot], axis=1)

    def run(
        self,
        session: Session,
        fetches: Mapping[Key, tf.Tensor],
        feeds: Mapping[Any, np.ndarray],
    ) -> Dict[Key, np.ndarray]:
        """Runs tensors of this graph on a batch.

        Raises:
          DataError: with TensorFlow's message, if the batch does not fit the inputs.
        """
        wanted = list(fetches.values())
        values = running.run_on(session, wanted, feeds, self.what, 'the data')
        return dict(zip(fetches, values))


def derivatives(
    loss: tf.Tensor, tensors: Mapping[str, tf.Tensor]
) -> Dict[str, tf.Tensor]:
    """Name -> derivative of a scalar by a tensor; absent where it does not depend."""
    gradients = tf.gradients(loss, list(tensors.values()))
    return {
        name: tf.convert_to_tensor(gradient)
        for name, gradient in zip(tensors, gradients)
        if gradient is not None
    }


def _product_shapes(
    node: tf.NodeDef, kernel: tf.Tensor, operand: int
) -> List[List[Optional[int]]]:
    """What the kernel of a `MatMul` says of the shapes of both its operands."""
    swapped = [view_lib.attribute(node, f'transpose_{name}').b for name in 'ab']
    # The axis of each operand that is summed over.
    summed = [0 if swapped[0] else 1, 1 if swapped[1] else 0]
    size = kernel.shape.with_rank(2).as_list()[summed[operand]]
    return [[size if axis == each else None for axis in (0, 1)] for each in summed]


def _constants(runnable: Runnable, graph: tf.Graph) -> Dict[str, tf.Tensor]:
    """Variable node -> the constant that holds its value."""
    present = {operation.name for operation in graph.get_operations()}
    return {
        variable.node: graph.get_tensor_by_name(f'{variable.node}:0')
        for variable in runnable.model.variables
        if variable.node in present
    }


def _places(tensor: tf.Tensor, axis: int, positions: np.ndarray) -> tf.Tensor:
    """An activation as `[batch, places, channels]`, the channels those of a group."""
    rank = tensor.shape.ndims
    if axis != rank - 1:
        order = [a for a in range(rank) if a != axis] + [axis]
        tensor = tf.transpose(tensor, order)
    batch = tf.shape(tensor)[0]
    x = tf.reshape(tensor, [batch, -1, tensor.shape.as_list()[-1]])
    width, entries = positions.shape
    x = tf.gather(x, positions.ravel(), axis=2)
    x = tf.transpose(tf.reshape(x, [batch, -1, width, entries]), [0, 1, 3, 2])
    return tf.reshape(x, [batch, -1, width])


def _rows(tensor: tf.Tensor, column: Column) -> tf.Tensor:
    """A weight as `[channels, everything else]`, the channels those of a group."""
    rank = tensor.shape.ndims
    order = [column.axis] + [a for a in range(rank) if a != column.axis]
    found = tf.gather(tf.transpose(tensor, order), column.positions.ravel())
    return tf.reshape(found, [len(column.positions), -1])
