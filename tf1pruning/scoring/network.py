"""A loss as a TensorFlow graph: values and derivatives at the spots of groups."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, TypeVar

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.errors import DataError
from tf1pruning.graph import importing
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import channels_last, freeze
from tf1pruning.scoring.loss_model import LossModel
from tf1pruning.scoring.spots import ActivationSpot, Column

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


class Network:
    """A loss with its weights as constants, in a graph of its own.

    Args:
      loss_model: the graph.
      arrays: variable node -> array.
    """

    def __init__(self, loss_model: LossModel, arrays: Mapping[str, np.ndarray]):
        frozen = freeze.freeze(loss_model.model, arrays)
        for node in frozen.node:
            if node.op == _SPARSE_CROSS_ENTROPY:
                node.attr['_gradient_op_type'].s = _TWICE.encode()
        self._nodes = {node.name: node for node in frozen.node}
        self.graph = importing.import_graph(channels_last.channels_last(frozen))
        self.loss = self.graph.get_tensor_by_name(f'{loss_model.loss}:0')
        self._constants = _constants(loss_model, self.graph)
        self._arrays = arrays

    def reads(self, node: str, reads: int) -> int:
        """How many channels a layer reads; 0 if the loss does not depend on it."""
        try:
            tensor = self.read_tensor(node, reads)
        except KeyError:
            return 0
        return tensor.shape[self.channel_axis(node, reads)].value or 0

    def has_variable(self, variable: str) -> bool:
        """Whether the loss depends on a variable."""
        return variable in self._constants

    def read_tensor(self, node: str, reads: int) -> tf.Tensor:
        """The tensor that a layer reads."""
        inputs = view_lib.data_inputs(self._nodes[node])
        tensor = self.graph.get_tensor_by_name(str(inputs[reads]))
        if self._nodes[node].op == 'MatMul':
            # The sizes behind tf.layers.flatten are known to Python, not to the graph.
            other = 1 - reads
            kernel = self.graph.get_tensor_by_name(str(inputs[other]))
            tensor.set_shape(_product_shapes(self._nodes[node], kernel, other)[reads])
        return tensor

    def variable(self, variable: str) -> tf.Tensor:
        """The value of a variable."""
        return self._constants[variable]

    def channel_axis(self, node: str, reads: int) -> int:
        """The axis of the channels in the tensor that a layer reads."""
        rank = self.read_tensor(node, reads).shape.ndims
        return layout.channel_axis(self._nodes[node], rank)

    def run(
        self,
        session: tf.Session,
        fetches: Mapping[Key, tf.Tensor],
        feeds: Mapping[Any, np.ndarray],
    ) -> Dict[Key, np.ndarray]:
        """Runs tensors of this graph on a batch.

        Raises:
          DataError: with TensorFlow's message, if the batch does not fit the loss.
        """
        try:
            values = session.run(list(fetches.values()), dict(feeds))
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise DataError(f'The loss does not run on the data: {error}') from error
        return dict(zip(fetches, values))

    def derivatives_at(
        self, loss: tf.Tensor, tensors: Sequence[tf.Tensor], variables: Sequence[str]
    ) -> Dict[str, tf.Tensor]:
        """Derivatives of a scalar, by one pass back.

        Args:
          loss: the scalar.
          tensors: by which to derive.
          variables: by which to derive, too.

        Returns:
          Tensor name or variable node -> derivative; absent if the scalar does not
          depend on it.
        """
        known = [name for name in variables if name in self._constants]
        owners = known + [tensor.name for tensor in tensors]
        by = [self._constants[name] for name in known] + list(tensors)
        return {
            owner: tf.convert_to_tensor(gradient)
            for owner, gradient in zip(owners, tf.gradients(loss, by))
            if gradient is not None
        }


def _product_shapes(
    node: tf.NodeDef, kernel: tf.Tensor, operand: int
) -> List[List[Optional[int]]]:
    """What the kernel of a `MatMul` says of the shapes of both its operands."""
    swapped = [view_lib.attribute(node, f'transpose_{name}').b for name in 'ab']
    # The axis of each operand that is summed over.
    summed = [0 if swapped[0] else 1, 1 if swapped[1] else 0]
    size = kernel.shape.with_rank(2)[summed[operand]].value
    return [[size if axis == each else None for axis in (0, 1)] for each in summed]


def _constants(loss_model: LossModel, graph: tf.Graph) -> Dict[str, tf.Tensor]:
    """Variable node -> the constant that holds its value."""
    present = {operation.name for operation in graph.get_operations()}
    return {
        variable.node: graph.get_tensor_by_name(f'{variable.node}:0')
        for variable in loss_model.model.variables
        if variable.node in present
    }


def places(tensor: tf.Tensor, axis: int, spot: ActivationSpot) -> tf.Tensor:
    """An activation as `[batch, places, channels]`, the channels those of a group."""
    x = _channels_last(tensor, axis)
    size = x.shape[-1].value
    batch = tf.shape(x)[0]
    x = tf.reshape(x, [batch, -1, size])
    width, entries = spot.positions.shape
    x = tf.gather(x, spot.positions.ravel(), axis=2)
    x = tf.transpose(tf.reshape(x, [batch, -1, width, entries]), [0, 1, 3, 2])
    return tf.reshape(x, [batch, -1, width])


def channel_means(tensor: tf.Tensor, axis: int) -> tf.Tensor:
    """`[channels]` means over all other axes."""
    others = [a for a in range(tensor.shape.ndims) if a != axis]
    return tf.reduce_mean(tensor, axis=others)


def rows(tensor: tf.Tensor, column: Column) -> tf.Tensor:
    """A weight as `[channels, everything else]`, the channels those of a group."""
    rank = tensor.shape.ndims
    order = [column.axis] + [a for a in range(rank) if a != column.axis]
    found = tf.gather(tf.transpose(tensor, order), column.positions.ravel())
    return tf.reshape(found, [len(column.positions), -1])


def _channels_last(tensor: tf.Tensor, axis: int) -> tf.Tensor:
    rank = tensor.shape.ndims
    if axis == rank - 1:
        return tensor
    return tf.transpose(tensor, [a for a in range(rank) if a != axis] + [axis])
