"""Finds the vectors that take up the constant shares of removed channels.

A channel with the constant value v contributes `v * sum(kernel slice)` to each output
of a 1x1 or VALID convolution or a dense layer. The same sum can be added to the bias
behind the layer, or subtracted from the moving mean of the batch norm behind it.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels.trace_result import Trace
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import precision
from tf1pruning.graph.inference import batch_norm
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS

_MEAN_INPUT = 3


class FoldTarget(NamedTuple):
    """A vector that takes up a constant share: `array += sign * share`.

    Attributes:
      source: node of the variable or constant.
      sign: +1 for a bias, -1 for a moving mean.
      rounds: whether it has 16-bit floats, so that a share would change.
    """

    source: str
    sign: int
    rounds: bool = False

    def added(self, array: np.ndarray, share: np.ndarray) -> np.ndarray:
        """The vector with a share taken up, in its own type; summed in 64 bits.

        Args:
          array: `[out]` the vector as it is.
          share: `[out]` what removed channels contribute.
        """
        total = array.astype(np.float64) + self.sign * share
        return total.astype(array.dtype)


def find_fold_targets(trace: Trace) -> Dict[str, FoldTarget]:
    """Layer node -> the vector behind it, where there is one of its own."""
    view = trace.model.view()
    targets = {}
    for kernel in trace.kernels:
        target = _target(view, kernel.node, trace)
        if target is not None and _readers(view, target.source, trace) == 1:
            targets[kernel.node] = target
    return targets


def _readers(view: view_lib.GraphView, name: str, trace: Trace) -> int:
    """How many ops, and outputs of the model, have a vector's value as an input."""
    same = view.with_reads(name)
    return len(view.readers(name)) + sum(each in trace.model.outputs for each in same)


def _target(view: view_lib.GraphView, name: str, trace: Trace) -> Optional[FoldTarget]:
    edges = view.consumers(name)
    if len(edges) != 1 or name in trace.model.outputs:
        return None
    node = edges[0].node
    if node.op == 'BiasAdd':
        return _vector(view, node, 1, +1, trace)
    if node.op in BATCH_NORM_OPS and not batch_norm.is_training(node):
        return _vector(view, node, _MEAN_INPUT, -1, trace)
    return None


def _vector(
    view: view_lib.GraphView, node: tf.NodeDef, position: int, sign: int, trace: Trace
) -> Optional[FoldTarget]:
    source = view.behind_reads(view.inputs(node)[position])
    if source.name not in trace.stored:
        return None
    dtype = tf.as_dtype(view_lib.attribute(source, 'dtype').type)
    return FoldTarget(source.name, sign, precision.is_half(dtype))
