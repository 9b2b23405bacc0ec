"""Batch norm in training mode: which variables hold its moving statistics.

They are found by data flow, not by name: from the batch statistic forward to the
assignment that updates a variable with it.
"""

from __future__ import annotations

from typing import FrozenSet, Optional, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

BATCH_NORM_OPS = ('FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3')
ASSIGN_OPS = frozenset(
    (
        'Assign',
        'AssignAdd',
        'AssignSub',
        'AssignVariableOp',
        'AssignAddVariableOp',
        'AssignSubVariableOp',
    )
)
_UPDATE_PATH = frozenset(
    (
        'Sub',
        'Mul',
        'Add',
        'AddV2',
        'Identity',
        'Cast',
        'Squeeze',
        'Reshape',
        'Switch',
        'Merge',
    )
)
# A mean that is only displayed is averaged too, so fewer ops lead there.
_MEAN_PATH = frozenset(('Cast', 'Mul', 'Sub', 'Switch', 'Merge'))


def is_training(node: tf.NodeDef) -> bool:
    """Whether a node is a fused batch norm in training mode."""
    is_batch_norm = node.op in BATCH_NORM_OPS
    return is_batch_norm and view_lib.attribute(node, 'is_training').b


def moving_statistic(view: view_lib.GraphView, node: tf.NodeDef, output: int) -> str:
    """The variable that averages a batch statistic of a fused batch norm.

    Args:
      view: of the training graph.
      node: the batch norm, in training mode.
      output: 1 for the mean, 2 for the variance.

    Raises:
      GraphError: unless there is exactly one.
    """
    found = _averages(view, TensorRef(node.name, output), _UPDATE_PATH)
    if len(found) != 1:
        what = 'mean' if output == 1 else 'variance'
        raise GraphError(
            f'Batch norm {node.name!r} runs in training mode and {len(found)} '
            f'variables average its batch {what}; expected one. Give the inference '
            'meta graph instead of the training one.'
        )
    return found.pop()


def average_of(view: view_lib.GraphView, ref: TensorRef) -> Optional[str]:
    """The variable that averages a mean over the batch; None if `ref` is no such mean.

    This is batch norm that is not fused.

    Raises:
      GraphError: if several variables do.
    """
    if not _is_batch_mean(view, ref):
        return None
    found = _averages(view, ref, _MEAN_PATH)
    if len(found) > 1:
        raise GraphError(
            f'The batch statistic {ref.node!r} is averaged by {len(found)} '
            f'variables ({names.quoted(sorted(found))}); expected one. Give the '
            'inference meta graph instead of the training one.'
        )
    return found.pop() if found else None


def _averages(
    view: view_lib.GraphView, ref: TensorRef, path: FrozenSet[str]
) -> Set[str]:
    """The variables that a tensor updates by way of ops of some types."""
    found: Set[str] = set()
    edges = view.consumers(ref.node)
    stack = [edge.node for edge in edges if edge.output == ref.output]
    seen: Set[str] = set()
    while stack:
        node = stack.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op in ASSIGN_OPS:
            found.add(_variable_behind(view, node.input[0]))
        elif node.op in path:
            stack += [edge.node for edge in view.consumers(node.name)]
    return found


def _variable_behind(view: view_lib.GraphView, name: str) -> str:
    node = view.node(names.node_name(name))
    while node.op in ('Identity', 'RefSwitch', 'Switch'):
        node = view.inputs(node)[0]
    return node.name


def _is_batch_mean(view: view_lib.GraphView, ref: TensorRef) -> bool:
    """Whether a tensor is a mean over the batch with one value per channel."""
    node = view.node(ref.node)
    if node.op == 'Squeeze':
        node = view.inputs(node)[0]
    if node.op != 'Mean':
        return False
    axes = view.inputs(node)[1]
    if axes.op != 'Const' or view.shape(ref) == ():
        return False
    return 0 in tf.make_ndarray(axes.attr['value'].tensor)
