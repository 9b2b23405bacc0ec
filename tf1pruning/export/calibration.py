"""Samples of real input, on which a quantizer measures ranges."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import names, npz
from tf1pruning.errors import DataError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.model import Model


def read_samples(path: str, model: Model) -> Dict[str, np.ndarray]:
    """Reads one array per input, by name, from an `.npz` file.

    Args:
      path: of the file; the first axis of each array counts the samples.
      model: whose inputs they are for.

    Returns:
      Input node -> float array `[samples, ...]`.

    Raises:
      DataError: if the file cannot be read; names every array that is missing, left
        over, or does not fit.
    """
    try:
        found = npz.read(path)
    except DataError as error:
        raise DataError(
            f'Calibration data {path!r} cannot be read ({error}). Expected an .npz '
            f'file with the arrays {names.quoted(model.required_inputs)}.'
        ) from error
    problems = _problems(found, model)
    if problems:
        raise DataError(f'Calibration data {path!r}: {"; ".join(problems)}.')
    return {name: array.astype(np.float32) for name, array in found.items()}


def _problems(found: Mapping[str, np.ndarray], model: Model) -> List[str]:
    problems = []
    view = model.view()
    for name in sorted(set(model.required_inputs) - set(found)):
        problems.append(f'no array for the input {name!r}')
    for name in sorted(set(found) - set(model.required_inputs)):
        problems.append(
            f'array {name!r} is for no input; there is '
            f'{names.quoted(model.required_inputs)}'
        )
    for name in sorted(set(found) & set(model.required_inputs)):
        shape = _shape(view, name)
        if not _fits(found[name].shape, shape):
            problems.append(
                f'array {name!r} has shape {found[name].shape}; expected '
                f'(samples{"".join(f", {size}" for size in (shape or ())[1:])})'
            )
        elif found[name].dtype.kind not in 'fiub':
            problems.append(f'array {name!r} holds no numbers')
        elif len(found[name]) < _batch_size(model, name):
            problems.append(f'array {name!r} has fewer samples than one batch')
        elif not np.isfinite(found[name]).all():
            problems.append(f'array {name!r} has NaN or infinite values')
    if len({array.shape[:1] for array in found.values()}) > 1:
        problems.append('the arrays have different numbers of samples')
    return problems


def _fits(shape: Sequence[int], expected: Optional[view_lib.Shape]) -> bool:
    if not shape or not shape[0]:
        return False
    if expected is None:
        return True
    sizes = zip(shape[1:], expected[1:])
    return len(shape) == len(expected) and all(e in (None, s) for s, e in sizes)


def batches(samples: Mapping[str, np.ndarray], model: Model) -> List[List[np.ndarray]]:
    """The samples as the network takes them: one by one, unless its batch is fixed.

    Returns:
      Per batch a list with one array per input.
    """
    sizes = {name: _batch_size(model, name) for name in model.required_inputs}
    count = min(len(samples[name]) // size for name, size in sizes.items())
    return [
        [samples[name][i * size : (i + 1) * size] for name, size in sizes.items()]
        for i in range(count)
    ]


def _batch_size(model: Model, name: str) -> int:
    shape = _shape(model.view(), name)
    return shape[0] if shape and shape[0] else 1


def _shape(view: view_lib.GraphView, name: str) -> Optional[view_lib.Shape]:
    return view_lib.shape_from_proto(view.node(name).attr['shape'].shape)
