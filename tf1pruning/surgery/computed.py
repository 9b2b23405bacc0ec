"""Weights that are computed from variables: their values, and which become constants.

A masked, normalized or quantized kernel is computed at each run. Once channels are cut
out of its variables, the same computation must give the same kernel, less those
channels. A sum over zeros that are gone does; a mean does not. So it is computed again
from the smaller variables, and where the result differs the kernel becomes a constant.
"""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from tf1pruning.channels.trace_result import Kernel, Trace
from tf1pruning.errors import GraphError, VerificationError
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import rewrite
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.surgery import verify

# Share of the largest weight by which a kernel may differ: another order of summing.
_ROUNDING = 1e-6


def values(trace: Trace, arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Node of each computed weight -> its array.

    Args:
      trace: of the model.
      arrays: variable node -> array.

    Raises:
      VerificationError: if one cannot be computed.
    """
    return _computed(trace.model, sorted(trace.computed), arrays)


def value(trace: Trace, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The array of one computed weight, by its node.

    Args:
      trace: of the model.
      name: node of the weight.
      arrays: variable node -> array.

    Raises:
      VerificationError: if it cannot be computed.
    """
    return _computed(trace.model, [name], arrays)[name]


def as_read(trace: Trace, arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Variable node -> the kernel that is computed of it, as its layer reads it.

    What of a kernel matters is what the layer reads: a mask may have zeroed a filter
    whose variable is large.

    Args:
      trace: of the model.
      arrays: variable node -> array.

    Returns:
      Variables that have the axes of a kernel which is computed of them.

    Raises:
      VerificationError: if one cannot be computed.
    """
    found = values(trace, arrays)
    return {
        kernel.variable: found[kernel.source]
        for kernel in trace.kernels
        if kernel.source in found and _same_axes(trace, kernel)
    }


def _same_axes(trace: Trace, kernel: Kernel) -> bool:
    own, read = trace.weights.get(kernel.variable, ()), trace.weights[kernel.source]
    shapes = [[axis.size for axis in axes] for axes in (own, read)]
    axis = kernel.out_axis
    return shapes[0] == shapes[1] and np.array_equal(own[axis], read[axis])


def not_reproduced(
    trace: Trace,
    smaller: InferenceGraph,
    resizing: rewrite.Resizing,
    arrays: Mapping[str, np.ndarray],
) -> Tuple[str, ...]:
    """The computed weights that the smaller variables would not give.

    Args:
      trace: of the model.
      smaller: the model with smaller variables.
      resizing: what was changed in it.
      arrays: variable node -> smaller array; node of a computed weight -> the array
        that it should have.
    """
    touched = [
        name
        for name in sorted(trace.computed)
        if arrays[name].shape != tuple(map(len, trace.weights[name]))
        or _depends(trace, name, resizing.nodes)
    ]
    found = _found(smaller, touched, arrays)
    return tuple(n for n in touched if not _is_close(found.get(n), arrays[n]))


def _found(
    model: InferenceGraph, names: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> Dict[str, np.ndarray]:
    """What can be computed, at once, or one by one where sizes do not fit any more."""
    try:
        return _computed(model, names, arrays)
    except (GraphError, VerificationError):
        single = [[name] for name in names] if len(names) > 1 else []
    found: Dict[str, np.ndarray] = {}
    for each in single:
        found.update(_found(model, each, arrays))
    return found


def _depends(trace: Trace, name: str, changed: Collection[str]) -> bool:
    before = trace.model.view().before([name])
    return any(node.name in changed for node in before)


def _is_close(found: Optional[np.ndarray], expected: np.ndarray) -> bool:
    if found is None or found.shape != expected.shape:
        return False
    limit = _ROUNDING * np.abs(expected).max(initial=0)
    return bool(np.all(np.abs(found - expected) <= limit))


def _computed(
    model: InferenceGraph, names: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> Dict[str, np.ndarray]:
    if not names:
        return {}
    part = graph_lib.needed(model.graph_def, names)
    frozen = freeze.freeze_part(model, part, names, arrays)
    return dict(zip(names, verify.run(frozen, names, {})))
