"""Refuses tensors that would fill the memory, before a graph runs.

Each size that is static is checked. Where one is not, TensorFlow fails with an error of
its own when it allocates more than a run may have, but for lists: their length ends the
process. So a list has a length that follows from constants and shapes alone.
"""

from __future__ import annotations

from typing import List

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import growth, static_shapes, walk
from tf1pruning.names import op_types

MOST_BYTES = 1 << 32
# Lists whose length may not depend on values, and others whose length is looked at.
_LISTS = ('TensorListReserve', 'TensorListResize', 'TensorListScatterV2')
_ARRAYS = ('TensorArray', 'TensorArrayV2', 'TensorArrayV3')
# What they make is as large as their first input.
_NO_LARGER = frozenset(static_shapes.SAME_SIZES) - {'Cast'}
# Where a length comes from.
_SHAPES = op_types('Rank Shape ShapeN Size TensorListLength')
# What a length is computed with.
_WHOLE = (tf.int32, tf.int64, tf.bool)


def check(graph: tf.Graph) -> None:
    """Refuses a graph with tensors or lists that are too large.

    Args:
      graph: imported, so that its static shapes are known.

    Raises:
      GraphError: names the node.
    """
    for operation in graph.get_operations():
        if operation.type in _NO_LARGER:
            continue
        for tensor in operation.outputs:
            count = tensor.shape.num_elements()
            if count and count * tensor.dtype.size > MOST_BYTES:
                raise GraphError(
                    f'Node {operation.name!r} ({operation.type}) makes a tensor of the '
                    f'shape {tensor.shape}; expected at most {MOST_BYTES >> 30} GB. '
                    'Give smaller inputs, or name outputs before it.',
                    options=('input_tensors', 'allow_unsafe'),
                )
        if operation.type in (*_LISTS, *_ARRAYS):
            _check_length(graph, operation)


def _check_length(graph: tf.Graph, operation: tf.Operation) -> None:
    length = operation.inputs[growth.LENGTHS[operation.type]]
    problem = growth.length_problem(_known(graph, length))
    if problem:
        raise GraphError(
            f'Node {operation.name!r} ({operation.type}) {problem}. Name outputs '
            'before it, or allow it.',
            options=('allow_unsafe',),
        )
    if operation.type in _LISTS:
        _check_source(operation, length.op)


def _known(graph: tf.Graph, length: tf.Tensor) -> int:
    """A length as far as TensorFlow finds it without a run; 0 if it does not."""
    with graph.as_default():
        try:
            return tf.fill(tf.reshape(length, [1]), 0).shape.as_list()[0] or 0
        except ValueError:  # It is below zero, or inside a loop.
            return 0


def _check_source(operation: tf.Operation, length: tf.Operation) -> None:
    for each in walk.reached([length], _before):
        if not _is_static(each):
            raise GraphError(
                f'Node {operation.name!r} ({operation.type}) makes a list whose length '
                f'depends on {each.name!r} ({each.type}), so it may fill the memory. '
                'Name outputs before it, or allow it.',
                options=('allow_unsafe',),
            )


def _before(operation: tf.Operation) -> List[tf.Operation]:
    if operation.type in _SHAPES:
        return []
    return [tensor.op for tensor in operation.inputs]


def _is_static(operation: tf.Operation) -> bool:
    """Whether an operation gives a length that does not depend on values."""
    if operation.type in _SHAPES:
        return True
    if operation.type == 'Const':
        value = tf.make_ndarray(operation.get_attr('value'))
        return bool(np.all(value <= growth.MOST_ITEMS))
    return len(operation.inputs) > 0 and all(
        tensor.dtype.base_dtype in _WHOLE for tensor in operation.inputs
    )
