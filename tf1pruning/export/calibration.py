"""Checks samples of real input, on which a quantizer measures ranges."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import names
from tf1pruning.errors import DataError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph


def checked(
    arrays: Mapping[str, np.ndarray], graph: InferenceGraph
) -> Dict[str, np.ndarray]:
    """Samples that fit the inputs of a network.

    Args:
      arrays: input node -> `[samples, ...]`.
      graph: whose inputs they are for.

    Returns:
      Input node -> float array `[samples, ...]`.

    Raises:
      DataError: names every array that is missing, left over, or does not fit.
    """
    problems = _problems(arrays, graph)
    if problems:
        raise DataError(f'The samples do not fit: {"; ".join(problems)}.')
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def _problems(found: Mapping[str, np.ndarray], graph: InferenceGraph) -> List[str]:
    problems = []
    view = graph.view()
    for name in sorted(set(graph.required_inputs) - set(found)):
        problems.append(f'no array for the input {name!r}')
    for name in sorted(set(found) - set(graph.required_inputs)):
        problems.append(
            f'array {name!r} is for no input; there is '
            f'{names.quoted(graph.required_inputs)}'
        )
    for name in sorted(set(found) & set(graph.required_inputs)):
        shape = _shape(view, name)
        if not _fits(found[name].shape, shape):
            problems.append(
                f'array {name!r} has shape {found[name].shape}; expected '
                f'(samples{"".join(f", {size}" for size in (shape or ())[1:])})'
            )
        elif found[name].dtype.kind not in 'fiub':
            problems.append(f'array {name!r} holds no numbers')
        elif len(found[name]) < _batch_size(graph, name):
            problems.append(f'array {name!r} has fewer samples than one batch')
        elif not np.isfinite(found[name]).all():
            problems.append(f'array {name!r} has NaN or infinite values')
    if len({array.shape[:1] for array in found.values()}) > 1:
        problems.append('the arrays have different numbers of samples')
    return problems


def _fits(shape: Sequence[int], expected: Optional[view_lib.Shape]) -> bool:
    is_some = bool(shape) and shape[0] > 0
    return is_some and view_lib.agree((None, *shape[1:]), expected)


def batches(
    samples: Mapping[str, np.ndarray], graph: InferenceGraph
) -> List[Dict[str, np.ndarray]]:
    """The samples in batches of the size that the network has, or else of one.

    Returns:
      Per batch input node -> array, in the order of the inputs.
    """
    sizes = {name: _batch_size(graph, name) for name in graph.required_inputs}
    count = min(len(samples[name]) // size for name, size in sizes.items())
    return [
        {name: samples[name][i * size : (i + 1) * size] for name, size in sizes.items()}
        for i in range(count)
    ]


def _batch_size(graph: InferenceGraph, name: str) -> int:
    shape = _shape(graph.view(), name)
    return shape[0] if shape and shape[0] else 1


def _shape(view: view_lib.GraphView, name: str) -> Optional[view_lib.Shape]:
    return view_lib.shape_from_proto(view.node(name).attr['shape'].shape)
