"""Mean replacement: layers that read a removed channel get its mean instead of zero.

A removed channel whose value is taken to be its mean over data contributes
`mean * kernel slice` to each layer that reads it (Evci et al., arXiv 1806.06068). That
constant is added to the bias behind the layer, or subtracted from the moving mean of
the batch norm behind it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Kernel, Trace
from tf1pruning.errors import DataError, OptionError
from tf1pruning.graph import view as view_lib
from tf1pruning.plan import BLOCK, Plan
from tf1pruning.surgery import fold


@dataclasses.dataclass(frozen=True, eq=False)
class Replacement:
    """Vectors that took up the means of removed channels.

    Attributes:
      arrays: variable node -> array with the means.
      without: layers that have no vector of their own behind them: there the removed
        channels count as zero.
    """

    arrays: Dict[str, np.ndarray]
    without: Tuple[str, ...]


def replace(
    trace: Trace,
    groups: Sequence[Group],
    arrays: Mapping[str, np.ndarray],
    plan: Plan,
    means: Mapping[str, np.ndarray],
) -> Replacement:
    """Folds the means of the channels of a plan into what reads them.

    At padded borders fewer taps of a kernel reach a channel: the constant is the
    average over the layer's pixels.

    Args:
      trace: of the model.
      groups: of the trace.
      arrays: variable node -> array, before anything is zeroed; not changed.
      plan: which channels go, in mode 'block'.
      means: layer -> `[channels]` mean of each channel that it reads.

    Raises:
      OptionError: if the plan is of another mode.
      DataError: if means are missing or do not fit.
    """
    check_mode(plan.mode)
    gone = plan_lib.removed_channels(plan, groups, trace.count)
    targets = fold.find_fold_targets(trace)
    view = trace.model.view()
    replaced: Dict[str, np.ndarray] = {}
    without: List[str] = []
    for kernel in trace.kernels:
        removed = gone[trace.weights[kernel.source][kernel.in_axis]]
        if kernel.depthwise or not removed.any():
            continue
        target = targets.get(kernel.node)
        known = kernel.source in arrays and kernel.share == 1
        if not known or target is None or target.source not in arrays:
            without.append(kernel.node)
            continue
        mean = _mean(means, kernel, removed)
        share = _share(view, kernel, arrays, removed, mean)
        # No other layer has this vector behind it, see `find_fold_targets`.
        replaced[target.source] = target.added(arrays[target.source], share)
    return Replacement(replaced, tuple(without))


def check_mode(mode: str, what: str = 'Mean replacement') -> None:
    """Raises OptionError for a mode in which removed channels are still read."""
    if mode != BLOCK:
        raise OptionError(
            f'{what} needs mode {BLOCK!r}; the mode is {mode!r}, in which removed '
            'channels are still read.'
        )


def _mean(
    means: Mapping[str, np.ndarray], kernel: Kernel, removed: np.ndarray
) -> np.ndarray:
    found = means.get(kernel.node)
    if found is None or found.shape != removed.shape:
        size = 'no' if found is None else f'{found.size}'
        raise DataError(
            f'Layer {kernel.node!r} reads {removed.size} channels, and there are '
            f'{size} means of them. Score this model again, with a loss that depends '
            'on the layer.'
        )
    return found


def _share(
    view: view_lib.GraphView,
    kernel: Kernel,
    arrays: Mapping[str, np.ndarray],
    removed: np.ndarray,
    mean: np.ndarray,
) -> np.ndarray:
    """`[out]` what the removed inputs of a layer add, on average over its pixels."""
    coverage = _coverage(view, kernel, arrays)
    chosen = np.flatnonzero(removed)
    rows = np.take(arrays[kernel.source], chosen, kernel.in_axis).astype(np.float64)
    rows = np.moveaxis(rows, (kernel.in_axis, kernel.out_axis), (0, 1))
    return mean[chosen] @ (rows.reshape(*rows.shape[:2], -1) @ coverage)


def _coverage(
    view: view_lib.GraphView, kernel: Kernel, arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
    """`[taps]` share of a layer's pixels at which each tap lies inside its input."""
    node = view.node(kernel.node)
    ref = view_lib.data_inputs(node)[kernel.reads]
    shape = view.shape(ref)
    known = node.op == 'Conv2D' and view_lib.attribute(node, 'padding').s == b'SAME'
    if not known or shape is None:
        return np.ones(kernel.taps)
    channels_first = view_lib.attribute(node, 'data_format').s == b'NCHW'
    axes = (2, 3) if channels_first else (1, 2)
    strides = view_lib.attribute(node, 'strides').list.i
    dilations = view_lib.attribute(node, 'dilations').list.i or [1] * 4
    vertical, horizontal = (
        _axis_coverage(shape[axis], taps, strides[axis], dilations[axis])
        for axis, taps in zip(axes, arrays[kernel.source].shape)
    )
    return np.outer(vertical, horizontal).ravel()


def _axis_coverage(
    size: Optional[int], taps: int, stride: int, dilation: int
) -> np.ndarray:
    """`[taps]` the coverage along one axis of a SAME convolution.

    >>> _axis_coverage(4, 3, 1, 1).tolist()
    [0.75, 1.0, 0.75]
    """
    if size is None:
        return np.ones(taps)
    count = math.ceil(size / stride)
    padding = max(0, (count - 1) * stride + (taps - 1) * dilation + 1 - size)
    starts = np.arange(count) * stride - padding // 2
    positions = starts[:, np.newaxis] + np.arange(taps) * dilation
    return ((positions >= 0) & (positions < size)).mean(axis=0)
