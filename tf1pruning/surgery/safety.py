"""Which channels can be removed without changing a single answer, and why not.

Removing a channel is exact iff at every layer that reads it its share is zero (its
weights there, or its value, are zero) or constant and foldable into the vector behind
the layer.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping

import numpy as np

from tf1pruning.channels import constants, layout
from tf1pruning.channels.trace import Kernel, Trace
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef
from tf1pruning.surgery import fold


@dataclasses.dataclass(frozen=True)
class Reader:
    """A layer that reads channels, with what it gets from each.

    Attributes:
      kernel: the layer.
      classes: `[in]` class of each input position.
      shares: `[in, out]` constant share of each position where it is folded, else 0.
      target: vector that takes up the shares.
    """

    kernel: Kernel
    classes: np.ndarray
    shares: np.ndarray
    target: fold.FoldTarget


@dataclasses.dataclass(frozen=True)
class Safety:
    """Verdicts on the channels of a model.

    Attributes:
      obstacles: class -> why removing it would change the outputs; absent if it is
        safe.
      readers: layers into whose bias or moving mean something has to be folded.
    """

    obstacles: Dict[int, str]
    readers: List[Reader]

    def is_safe(self, channel: int) -> bool:
        """Whether a channel class can go."""
        return channel not in self.obstacles


def find_safety(trace: Trace, arrays: Mapping[str, np.ndarray]) -> Safety:
    """Judges every channel of a model.

    Args:
      trace: of the model.
      arrays: variable node -> array.
    """
    values = constants.find_constants(trace.model, arrays)
    view = trace.model.view()
    targets = fold.find_fold_targets(trace)
    obstacles: Dict[int, str] = {c: r[0] for c, r in trace.frozen.items()}
    readers: List[Reader] = []
    for kernel in trace.kernels:
        if kernel.depthwise:
            continue
        classes = trace.weights[kernel.source][kernel.in_axis]
        x = _input_values(view, kernel, values, len(classes))
        weights = arrays.get(kernel.source)
        if weights is None:
            weights = values[TensorRef(kernel.source, 0)]
        _judge(kernel, classes, x, weights, targets, obstacles, readers)
    return Safety(obstacles, readers)


def _input_values(
    view: view_lib.GraphView,
    kernel: Kernel,
    values: Mapping[TensorRef, np.ndarray],
    size: int,
) -> np.ndarray:
    node = view.node(kernel.node)
    ref = view_lib.data_inputs(node)[kernel.reads]
    value = values.get(ref)
    if value is None:
        return np.full(size, constants.VARYING)
    axis = layout.channel_axis(node, value.ndim)
    if value.shape[axis] not in (1, size):
        # A grouped convolution: several channels for each position.
        return np.full(size, constants.VARYING)
    return constants.channel_vector(value, axis, size)


def _judge(
    kernel: Kernel,
    classes: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    targets: Mapping[str, fold.FoldTarget],
    obstacles: Dict[int, str],
    readers: List[Reader],
) -> None:
    rows = np.moveaxis(weights, (kernel.in_axis, kernel.out_axis), (0, 1))
    rows = rows.reshape(rows.shape[0], rows.shape[1], -1)
    live = (rows != 0).any(axis=(1, 2)) & (x != 0)
    constant = live & ~np.isnan(x)
    target = targets.get(kernel.node)
    exact = target is not None and not kernel.borders and not kernel.scaled
    folds = constant if exact else np.zeros_like(constant)
    for index in np.flatnonzero(live & ~folds):
        why = _obstacle(kernel, bool(constant[index]), target is not None)
        obstacles.setdefault(int(classes[index]), why)
    if target is not None and folds.any():
        shares = np.zeros(rows.shape[:2])
        shares[folds] = x[folds, np.newaxis] * rows[folds].sum(axis=2, dtype=np.float64)
        readers.append(Reader(kernel, classes, shares, target))


def _obstacle(kernel: Kernel, constant: bool, has_target: bool) -> str:
    if not constant:
        return f'not zero: {kernel.node!r} still reads it'
    if kernel.scaled and has_target:
        return f'constant, but {kernel.node!r} has a kernel that is scaled or rounded'
    if kernel.borders and has_target:
        return f'constant, but {kernel.node!r} pads its border with zeros (SAME)'
    return f'constant, but no bias or batch norm of its own follows {kernel.node!r}'
