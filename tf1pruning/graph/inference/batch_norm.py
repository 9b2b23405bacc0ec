"""Finds the variables with the moving statistics of batch norm in training mode.

The data flow leads from the batch statistic forward to the assignment that updates a
variable with it; names do not matter.
"""

from __future__ import annotations

from typing import FrozenSet, Iterable, List, Optional, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import nodes, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef, op_types

BATCH_NORM_OPS = ('FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3')
ASSIGN_OPS = op_types(
    'Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp '
    'AssignSubVariableOp'
)
_UPDATE_PATH = op_types('Sub Mul Add AddV2 Identity Cast Squeeze Reshape Switch Merge')
# What batch renormalization and the like do with statistics that they average.
_OTHER_USES = frozenset(
    ('Div', 'Maximum', 'Minimum', 'RealDiv', 'Relu', 'Rsqrt', 'Sqrt', 'Square')
)
_SIZES = ('Shape', 'Size')
_OF_SIZES = op_types('Cast Const Identity Mul Prod RealDiv StridedSlice Sub')
_DIFFERENCES = ('SquaredDifference', 'Square')


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

    This is batch norm that is not fused, or one whose batch statistics something else
    reads, too, as a kernel does into which training folds it. What else a mean updates,
    a weight by its gradient for one, does not count: a new average is made of the old
    one.

    Raises:
      GraphError: if several variables do.
    """
    fused = _fused_statistic(view, ref)
    if fused is not None:
        return moving_statistic(view, view.node(fused.node), fused.output)
    if not _is_batch_mean(view, ref):
        return None
    found = _averages(view, ref, _UPDATE_PATH, of_itself=True)
    if len(found) > 1:
        raise GraphError(
            f'The batch statistic {ref.node!r} is averaged by {len(found)} '
            f'variables ({names.quoted(sorted(found))}); expected one. Give the '
            'inference meta graph instead of the training one.'
        )
    return found.pop() if found else None


def _fused_statistic(view: view_lib.GraphView, ref: TensorRef) -> Optional[TensorRef]:
    """The statistic of a fused batch norm in training mode that a tensor is.

    The variance may have been multiplied by what follows from sizes (Bessel).
    """
    node = view.node(ref.node)
    if is_training(node):
        return ref if ref.output in (1, 2) else None
    sources = view.refs(node) if node.op == 'Mul' else ()
    for source, other in (sources, sources[::-1]) if sources else ():
        is_variance = is_training(view.node(source.node)) and source.output == 2
        if is_variance and _follows_from_sizes(view, other):
            return source
    return None


def _follows_from_sizes(view: view_lib.GraphView, ref: TensorRef) -> bool:
    """Whether a tensor is made of constants and the sizes of tensors."""
    before = view.before([ref.node], lambda node: node.op not in _SIZES)
    return all(node.op in _SIZES or node.op in _OF_SIZES for node in before)


def is_averaged(view: view_lib.GraphView, name: str) -> bool:
    """Whether a node gives a batch statistic that training averages in any form."""
    ref, path = TensorRef(name, 0), _UPDATE_PATH | _OTHER_USES
    is_variance = _is_variance(view, ref)
    if is_variance:
        # Means over parts of the batch are averaged first.
        path |= {'Mean'}
    if not is_variance and not _is_batch_mean(view, ref):
        return False
    return bool(_averages(view, ref, path, of_itself=True))


def check_none_left(view: view_lib.GraphView, used: Iterable[str]) -> None:
    """Checks that inference needs no statistic that training averages in other forms.

    Raises:
      GraphError: names the statistics.
    """
    left = [name for name in used if is_averaged(view, name)]
    if left:
        raise GraphError(
            f'Training averages the batch statistics {names.quoted(sorted(left))} in '
            'an unknown form (batch renormalization, virtual batches). Give the '
            'inference meta graph instead of the training one.'
        )


def _averages(
    view: view_lib.GraphView,
    ref: TensorRef,
    path: FrozenSet[str],
    of_itself: bool = False,
) -> Set[str]:
    """The variables that a tensor updates by way of ops of some types.

    With `of_itself`, only those whose new value depends on the old one.
    """
    found = set()
    for assign in _assignments(view, ref, path):
        variable = variable_behind(view, assign.input[0])
        if not of_itself or _reads(view, assign, variable, path):
            found.add(_debiased(view, variable))
    return found


def _assignments(
    view: view_lib.GraphView, ref: TensorRef, path: FrozenSet[str]
) -> List[tf.NodeDef]:
    """The assignments that a tensor enters by way of ops of some types."""

    def behind(name: str) -> List[str]:
        on_path = view.node(name).op in path
        return [e.node.name for e in view.consumers(name)] if on_path else []

    edges = view.consumers(ref.node)
    first = [edge.node.name for edge in edges if edge.output == ref.output]
    nodes_ = (view.node(name) for name in walk.reached(first, behind))
    return [node for node in nodes_ if node.op in ASSIGN_OPS]


def _reads(
    view: view_lib.GraphView, assign: tf.NodeDef, variable: str, path: FrozenSet[str]
) -> bool:
    """Whether the value that is assigned to a variable is made of the variable."""
    value = names.node_name(assign.input[1])
    before = view.before([value], lambda n: n.op in path or n.op in view_lib.READ_OPS)
    return any(node.name == variable for node in before)


def _debiased(view: view_lib.GraphView, variable: str) -> str:
    """The variable that holds an average without the bias of its start at zero.

    That is `zero_debias`: `average -= average - biased / (1 - decay ** steps)`.
    """
    passing = (*view_lib.READ_OPS, *ASSIGN_OPS)
    for edge in view.edges_behind([variable], lambda edge: edge.node.op in passing):
        if edge.node.op in nodes.DIVISIONS and edge.position == 0:
            quotient = TensorRef(edge.node.name, 0)
            for assign in _assignments(view, quotient, frozenset(('Sub',))):
                return variable_behind(view, assign.input[0])
    return variable


def variable_behind(view: view_lib.GraphView, name: str) -> str:
    """The variable whose reference or handle an input of a node is."""
    node = view.node(names.node_name(name))
    return view.behind_reads(node, ('Identity', 'RefSwitch', 'Switch')).name


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
    return 0 in nodes.constant_value(axes)


def _is_variance(view: view_lib.GraphView, ref: TensorRef) -> bool:
    """Whether a tensor is a mean square with more than one value."""
    node = view.node(ref.node)
    is_mean_square = node.op == 'Mean' and view.inputs(node)[0].op in _DIFFERENCES
    return is_mean_square and view.shape(ref) != ()
