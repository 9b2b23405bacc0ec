"""Losses that make filters small, so that pruning them costs less accuracy.

Each returns a scalar tensor, to be added to the loss before the optimizer is made. The
gradients are finite also where a filter is zero.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import typed
from tf1pruning.errors import GraphError, OptionError, WorkflowError
from tf1pruning.plan import Plan
from tf1pruning.training import eraser, graph_variables


@typed.checked
def group_lasso(kernels: Iterable[Any], factor: float, axis: int = -1) -> tf.Tensor:
    """Sum of the L2 norms of all filters.

    Wen et al., "Learning Structured Sparsity in Deep Neural Networks" (arXiv
    1608.03665, equation 4): it draws whole filters to zero, not single weights.

    Args:
      kernels: variables, e.g. `[kh, kw, c_in, c_out]`, also partitioned ones; of a
        depthwise one the filters are on axis 2.
        Parts of a partitioned kernel count as the kernel: give all of them.
      factor: of the loss, at least 0.
      axis: of the filters.

    Raises:
      OptionError: if the factor is negative.
      GraphError: if there are no kernels.
    """
    parts: Dict[str, List[graph_variables.Part]] = {}
    for kernel in kernels:
        for variable in _variables(kernel):
            part = graph_variables.part_of(variable)
            parts.setdefault(part.key, []).append(part)
    norms = [_filter_norms(found, axis) for found in parts.values()]
    return _scaled_sum(norms, factor, 'kernels')


@typed.checked
def l1_of_scales(factor: float, gammas: Optional[Iterable[Any]] = None) -> tf.Tensor:
    """Sum of the magnitudes of batch-norm scales.

    Liu et al., "Learning Efficient Convolutional Networks through Network Slimming"
    (arXiv 1708.06519, equation 1).

    Args:
      factor: of the loss, at least 0.
      gammas: the scales; None: all trainable variables named `gamma`.

    Raises:
      OptionError: if the factor is negative.
      GraphError: if there are no scales.
    """
    if gammas is None:
        keys = graph_variables.by_key(tf.trainable_variables())
        scales = [key for key in keys if key.rpartition('/')[2] == 'gamma']
        gammas = [part.variable for key in scales for part in keys[key]]
    return _scaled_sum([tf.abs(gamma) for gamma in gammas], factor, 'scales')


@typed.checked
def growing_penalty(
    plan: Plan, delta: float, every_steps: int, ceiling: float
) -> tf.Tensor:
    """Half the squares of what a plan zeroes, by a factor that grows; nothing else.

    Wang et al., "Neural Pruning via Growing Regularization" (arXiv 2012.09243): the
    factor is `delta` at first and grows by `delta` every few steps, up to `ceiling`.
    The planned filters fade while the others learn to do without them.

    Args:
      plan: which channels are to go.
      delta: what the factor grows by.
      every_steps: global steps between two growths.
      ceiling: largest factor.

    Raises:
      OptionError: on a number out of range.
      PlanError: if the plan is for another graph.
      WorkflowError: without a global step.
    """
    if delta <= 0 or every_steps < 1 or ceiling < delta:
        raise OptionError(
            f'delta is {delta}, every_steps {every_steps}, ceiling {ceiling}; expected '
            'delta > 0, every_steps >= 1 and ceiling >= delta.'
        )
    step = tf.train.get_global_step()
    if step is None:
        raise WorkflowError(
            'The penalty grows with the global step and the graph has none. Call '
            'tf.train.get_or_create_global_step() first.'
        )
    growths = tf.cast(tf.floordiv(step, every_steps) + 1, tf.float32)
    factor = tf.minimum(delta * growths, ceiling)
    return 0.5 * factor * tf.add_n(_planned_squares(plan) or [tf.zeros([])])


def _planned_squares(plan: Plan) -> List[tf.Tensor]:
    """Per variable or part the sum of squares at the cuts."""
    parts = graph_variables.by_key(tf.global_variables())
    graph_variables.check_fits(plan, graph_variables.shapes_of(parts))
    # Where the cuts of two axes cross, a weight still counts once.
    zeroed = dict.fromkeys(cut.variable for cut in plan.zeroed_cuts)
    kept = {key: [tf.ones([])] * len(parts[key]) for key in zeroed}
    shapes = graph_variables.shapes_of(parts)
    for (key, axis), mask in eraser.masks(plan, shapes).items():
        for number, part in enumerate(parts[key]):
            start, size = part.offset[axis], part.shape[axis]
            shape = [size if a == axis else 1 for a in range(len(part.shape))]
            stays = tf.constant(~mask[start : start + size], tf.float32, shape)
            kept[key][number] *= stays
    return [
        tf.reduce_sum((1.0 - stays) * tf.square(tf.cast(part.variable, tf.float32)))
        for key, found in kept.items()
        for part, stays in zip(parts[key], found)
    ]


def _variables(kernel: tf.Variable) -> List[tf.Variable]:
    """The parts of a partitioned variable, or the only one."""
    return list(kernel) if hasattr(kernel, '__len__') else [kernel]


def _filter_norms(parts: Sequence[graph_variables.Part], axis: int) -> tf.Tensor:
    # Parts that start at the same filter have shares of the same filters.
    shares: Dict[int, List[tf.Tensor]] = {}
    for part in parts:
        rank = len(part.shape)
        others = [a for a in range(rank) if a != axis % rank]
        values = tf.square(tf.cast(part.variable, tf.float32))
        shares.setdefault(part.offset[axis], []).append(tf.reduce_sum(values, others))
    squares = tf.concat([tf.add_n(found) for found in shares.values()], axis=0)
    # The gradient of a root at 0 is infinite; times 0 it would be NaN.
    is_zero = tf.equal(squares, 0.0)
    roots = tf.sqrt(tf.where(is_zero, tf.ones_like(squares), squares))
    return tf.where(is_zero, tf.zeros_like(squares), roots)


def _scaled_sum(values: List[tf.Tensor], factor: float, what: str) -> tf.Tensor:
    if factor < 0:
        raise OptionError(f'The factor is {factor}; expected at least 0.')
    if not values:
        raise GraphError(
            f'There are no {what} to regularize. Build the network first, or give them.'
        )
    sums = [tf.reduce_sum(tf.cast(value, tf.float32)) for value in values]
    return factor * tf.add_n(sums)
