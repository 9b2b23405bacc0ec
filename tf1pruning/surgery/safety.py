"""Which channels can be removed without changing an output, and why others cannot.

Removing a channel is exact iff at every layer that reads it its share is zero (its
weights there, or its value, are zero) or constant and foldable into the vector behind
the layer, and at every sum over channels it adds zero.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Set, Tuple

import numpy as np

from tf1pruning.channels import constants, layout
from tf1pruning.channels.constant_rules.elementwise import multiply
from tf1pruning.channels.trace_result import Kernel, Summation, Trace
from tf1pruning.surgery import fold
from tf1pruning.surgery import weights as weights_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """Constant shares of a layer's inputs, and the vector that can take them up.

    Attributes:
      channels: `[in]` channel of each input position.
      shares: `[in, out]` constant share of each position where it is folded, else 0.
      target: the vector.
    """

    channels: np.ndarray
    shares: np.ndarray
    target: fold.FoldTarget


@dataclasses.dataclass(frozen=True, eq=False)
class Safety:
    """Verdicts on the channels of a model.

    Attributes:
      obstacles: channel -> why removing it would change the outputs; absent if it is
        safe.
      constant: channels that stay although they do not vary: what they add cannot be
        folded exactly.
      folds: what has to be folded where, if the channels go.
    """

    obstacles: Dict[int, str]
    constant: FrozenSet[int]
    folds: Tuple[Fold, ...]


def find_safety(
    trace: Trace, arrays: Mapping[str, np.ndarray], across_borders: bool = False
) -> Safety:
    """Judges every channel of a model.

    Args:
      trace: of the model.
      arrays: variable node, name of a Const node that acts as a weight, or node of a
        computed weight -> array. Constants that are not named have the value of the
        graph.
      across_borders: whether to fold also where that is right inside an image only, and
        not at its padded border.
    """
    kernels = {kernel.node: kernel for kernel in trace.kernels if not kernel.depthwise}
    summations = {each.node: each for each in trace.summations}
    targets = fold.find_fold_targets(trace)
    obstacles: Dict[int, str] = {c: r[0] for c, r in trace.frozen.items()}
    varying: Set[int] = set(obstacles)
    folds: List[Fold] = []
    for step in constants.interpret(trace.model, arrays):
        kernel = kernels.get(step.node.name)
        if step.node.name in summations:
            _judge_sum(step, summations[step.node.name], obstacles, varying)
        if kernel is None:
            continue
        channels = trace.weights[kernel.source][kernel.in_axis]
        x = _input_values(step, kernel, len(channels))
        weights = _weights(trace, step, kernel, arrays)
        share = _shares(kernel, targets.get(kernel.node), x, weights, across_borders)
        for why, positions in share.obstacles.items():
            for channel in channels[positions].tolist():
                obstacles.setdefault(channel, why)
        varying.update(channels[np.isnan(x)].tolist())
        if share.target is not None and share.folded is not None:
            folds.append(Fold(channels, share.folded, share.target))
    return Safety(obstacles, frozenset(set(obstacles) - varying), tuple(folds))


def _judge_sum(
    step: constants.Step,
    summation: Summation,
    obstacles: Dict[int, str],
    varying: Set[int],
) -> None:
    """Adds the channels that add something to a sum, and those of them that vary."""
    channels = summation.labels
    terms = np.ones(len(channels))
    for position, axis in summation.reads:
        value = step.inputs[position]
        terms = multiply(terms, constants.channel_vector(value, axis, len(channels)))
    for channel in channels[terms != 0].tolist():
        obstacles.setdefault(channel, f'not zero: {step.node.name!r} sums it up')
    varying.update(channels[np.isnan(terms)].tolist())


def _input_values(step: constants.Step, kernel: Kernel, size: int) -> np.ndarray:
    value = step.inputs[kernel.reads]
    axis = layout.channel_axis(step.node, value.ndim)
    if value.shape[axis] not in (1, size):
        # A grouped convolution: several channels for each position.
        return np.full(size, constants.VARYING)
    return constants.channel_vector(value, axis, size)


def _weights(
    trace: Trace,
    step: constants.Step,
    kernel: Kernel,
    arrays: Mapping[str, np.ndarray],
) -> np.ndarray:
    """A kernel with its input and output axis first."""
    array = _kernel(trace, step, kernel, arrays)
    return np.moveaxis(array, (kernel.in_axis, kernel.out_axis), (0, 1))


def _kernel(
    trace: Trace,
    step: constants.Step,
    kernel: Kernel,
    arrays: Mapping[str, np.ndarray],
) -> np.ndarray:
    """A kernel; read again only if no plain read of it is at hand."""
    view = trace.model.view()
    shape = tuple(len(axis) for axis in trace.weights[kernel.source])
    for source, value in zip(view.inputs(step.node), step.inputs):
        is_kernel = view.behind_reads(source).name == kernel.source
        # Weights are finite; a read that is not understood has NaN.
        if is_kernel and value.shape == shape and not np.isnan(value.flat[0]):
            return value
    return weights_lib.array_of(view, kernel.source, arrays)


class _Shares(NamedTuple):
    """What a layer gets from its inputs.

    Attributes:
      obstacles: why channels must stay -> their input positions.
      folded: `[in, out]` constant shares that can be folded; None if there are none.
      target: vector that takes them up.
    """

    obstacles: Dict[str, np.ndarray]
    folded: Optional[np.ndarray]
    target: Optional[fold.FoldTarget]


def _shares(
    kernel: Kernel,
    target: Optional[fold.FoldTarget],
    x: np.ndarray,
    weights: np.ndarray,
    across_borders: bool,
) -> _Shares:
    """Judges the inputs `x` `[in]` of a layer with `weights` `[in, out, ...]`."""
    live = weights.any(axis=tuple(range(1, weights.ndim))) & (x != 0)
    constant = live & ~np.isnan(x)
    borders = kernel.borders and not across_borders
    takes = target is not None and not target.rounds
    is_whole = kernel.share == 1 and not kernel.rounds
    foldable = takes and not borders and is_whole
    folds = constant if foldable else np.zeros_like(constant)
    folded = None
    if folds.any():
        taps = tuple(range(2, weights.ndim))
        sums = weights[folds].sum(axis=taps, dtype=np.float64)
        folded = np.zeros(weights.shape[:2])
        folded[folds] = x[folds, np.newaxis] * sums
    stays = live & ~folds
    obstacles = {
        _not_foldable(kernel, target): np.flatnonzero(stays & constant),
        f'not zero: {kernel.node!r} still reads it': np.flatnonzero(stays & ~constant),
    }
    return _Shares(obstacles, folded, target)


def _not_foldable(kernel: Kernel, target: Optional[fold.FoldTarget]) -> str:
    """Why a constant share of a layer cannot be folded."""
    if target is None:
        return f'constant, but no bias or batch norm of its own follows {kernel.node!r}'
    if target.rounds:
        return f'constant, but 16-bit floats in {target.source!r} would round it'
    if kernel.rounds or kernel.share < 1:
        how = 'rounded' if kernel.rounds else 'a part of a variable'
        return f'constant, but {kernel.node!r} has a kernel that is {how}'
    return f'constant, but {kernel.node!r} pads its border with zeros (SAME)'
