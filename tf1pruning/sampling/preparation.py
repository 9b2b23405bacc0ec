"""Warns where samples seem to be prepared otherwise than the data of the training.

The limits were found on small networks that were trained on CIFAR-10 and MNIST, with
five ways to scale pixels. Prepared as in the training, 16 samples or more had a
divergence of at most 0.03, and one at most 0.8; with another range or mean it was at
least 0.28, and mostly above 1. Channels in the reverse order raised it to 0.02 to 0.06,
1.7 to 9 times what it was with 32 samples or more: too little to be told from other
changes, so they are found by turning them round.
"""

from __future__ import annotations

from typing import Iterator, List, Mapping, Optional

import numpy as np

from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.notes import Note
from tf1pruning.sampling.first_batch_norms import Distance, distances
from tf1pruning.sampling.parts import Samples
from tf1pruning.scoring.batches import Batch, Batches
from tf1pruning.sessions import STRICT, RunLimits

_EXAMPLES = 64
_USUAL, _USUAL_OF_ONE = 0.15, 1.0
# Where the reverse order of channels is looked at: samples, and divergence.
_FEWEST, _LEAST = 32, 0.02
_BETTER = 1.5


def warnings(
    graph: InferenceGraph,
    arrays: Mapping[str, np.ndarray],
    samples: Samples,
    limits: RunLimits = STRICT,
) -> List[Note]:
    """What does not fit the statistics of the first batch norms of a network.

    Args:
      graph: of the network.
      arrays: variable node -> array.
      samples: of which the first 64 are run.
      limits: of the runs.

    Returns:
      At most one sentence; none for a network without batch norm.

    Raises:
      DataError: if the network does not run on the samples.
      GraphError: if it is not safe to run.
    """
    few = samples.some(_EXAMPLES)
    found = _worst(graph, arrays, few.batches, limits)
    if found is None:
        return []
    usual = _USUAL + _USUAL_OF_ONE / few.count
    if found.divergence > usual:
        return [_far(found, usual)]
    if few.count < _FEWEST or found.divergence < _LEAST or not _has_colours(few):
        return []
    turned = Batches(lambda: map(_turned, few.batches.start()))
    other = _worst(graph, arrays, turned, limits)
    if other is None or found.divergence < _BETTER * other.divergence:
        return []
    return [_colours(found, other)]


def _worst(
    graph: InferenceGraph,
    arrays: Mapping[str, np.ndarray],
    batches: Batches,
    limits: RunLimits,
) -> Optional[Distance]:
    found = distances(graph, arrays, batches, limits)
    return max(found, key=lambda each: each.divergence) if found else None


def _far(found: Distance, usual: float) -> Note:
    return Note(
        f'The data does not look like that of the training: at {found.node!r}, a first '
        f'batch norm, its deviation is {found.scale:.3g} times the moving one, and its '
        f'mean is {found.shift:.3g} deviations from the moving one (divergence '
        f'{found.divergence:.3g}; up to {usual:.2g} is usual). Check how the data is '
        'prepared: the range of the numbers, mean, deviation and order of the '
        'channels.',
        options=('image_range', 'mean', 'std', 'bgr'),
    )


def _colours(found: Distance, other: Distance) -> Note:
    return Note(
        'The data looks more like that of the training with its channels in the '
        f'reverse order: at {found.node!r}, a first batch norm, the divergence is then '
        f'{other.divergence:.2g} instead of {found.divergence:.2g}. Check whether the '
        'network reads blue, green, red.',
        options=('bgr',),
    )


def _has_colours(samples: Samples) -> bool:
    first: Iterator[Batch] = iter(samples.some(1).batches.start())
    return any(_colour_axis(array) is not None for array in next(first).values())


def _colour_axis(array: np.ndarray) -> Optional[int]:
    """The axis of three channels in images."""
    if array.ndim != 4:
        return None
    return next((axis for axis in (3, 1) if array.shape[axis] == 3), None)


def _turned(batch: Batch) -> Batch:
    """A batch with the channels of its images in the reverse order."""
    axes = {name: _colour_axis(array) for name, array in batch.items()}
    return {
        name: array if axes[name] is None else np.flip(array, axes[name])
        for name, array in batch.items()
    }
