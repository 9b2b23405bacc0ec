"""Counts almost zero weights as zero."""

from __future__ import annotations

from typing import Dict, Mapping

import numpy as np

from tf1pruning.channels.trace_result import STATISTIC, Trace
from tf1pruning.surgery import weights


def flushed(
    trace: Trace, arrays: Mapping[str, np.ndarray], tolerance: float
) -> Dict[str, np.ndarray]:
    """The arrays of a model with zeros for almost zero weights.

    Moving means and variances stay: a small variance is a large factor.

    Args:
      trace: of the model.
      arrays: variable node, or node of a computed weight -> array; not changed.
      tolerance: magnitudes up to this share of the weight's largest count as zero.

    Returns:
      Variable node, or name of a Const node that acts as a weight -> array.
    """
    statistics = {use.source for use in trace.uses if use.role == STATISTIC}
    view = trace.model.view()
    result = dict(arrays)
    for source in trace.weights:
        if source in statistics:
            continue
        array = weights.array_of(view, source, arrays)
        magnitudes = np.abs(array)
        small = magnitudes <= tolerance * magnitudes.max(initial=0)
        result[source] = np.where(small, np.zeros_like(array), array)
    return result
