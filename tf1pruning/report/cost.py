"""Parameters and multiply-accumulates (MACs) of a model."""

from __future__ import annotations

import dataclasses
from typing import Collection, Dict, Iterable, Mapping, Optional, Tuple

import numpy as np

from tf1pruning.channels.trace_result import Trace
from tf1pruning.plan import Cut
from tf1pruning.shapes import element_count

Shape = Tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a model costs.

    Attributes:
      parameters: elements of all its variables, moving statistics included, and of
        constants in which channels live.
      macs: multiply-accumulates of one example in convolutions and dense layers; None
        if an output size is not static.
      prunable_macs: those of the layers that touch a prunable group.
    """

    parameters: int
    macs: Optional[int]
    prunable_macs: Optional[int]


@dataclasses.dataclass(frozen=True)
class NodeCost:
    """What a node of a model costs.

    Attributes:
      node: its name.
      op: its type.
      macs: multiply-accumulates of one example, 0 but for convolutions and dense
        layers; None if the output size is not static.
      parameters: elements of the variables that it is the first to read.
    """

    node: str
    op: str
    macs: Optional[int]
    parameters: int


def measure(
    trace: Trace,
    shapes: Mapping[str, Shape],
    prunable: Collection[str],
    stored: Optional[Collection[str]] = None,
) -> Cost:
    """Cost of a model.

    A layer needs `output pixels * kernel elements` MACs. Stripping changes the second
    factor only, so the same trace serves the model before and after.

    Args:
      trace: of the model before stripping.
      shapes: variable node -> shape, before or after.
      prunable: nodes of the layers that touch a prunable group.
      stored: the variables and constants that the network has; None: all.
    """
    per_node = layer_macs(trace, shapes)
    known = {**full_shapes(trace), **shapes}
    left = known.keys() - trace.computed if stored is None else stored
    within = {node: macs for node, macs in per_node.items() if node in prunable}
    return Cost(
        parameters=sum(element_count(known[name]) for name in left),
        macs=total(per_node.values()),
        prunable_macs=total(within.values()),
    )


def layer_macs(trace: Trace, shapes: Mapping[str, Shape]) -> Dict[str, Optional[int]]:
    """Layer node -> MACs of one example; None if its output size is not static.

    Args:
      trace: of the model.
      shapes: variable node -> shape, of the trace's size or stripped.
    """
    known = {**full_shapes(trace), **shapes}
    return {
        kernel.node: None
        if kernel.positions is None
        else round(
            kernel.positions * element_count(known[kernel.source]) * kernel.share
        )
        for kernel in trace.kernels
    }


def node_costs(trace: Trace, shapes: Mapping[str, Shape]) -> Tuple[NodeCost, ...]:
    """The nodes that cost something, in graph order; they add up to `measure`."""
    view = trace.model.view()
    macs = layer_macs(trace, shapes)
    positions = {node.name: number for number, node in enumerate(view)}
    parameters: Dict[str, int] = {}
    for source, shape in {**full_shapes(trace), **shapes}.items():
        if source in trace.computed:
            continue
        readers = [edge.node.name for edge in view.readers(source)]
        # Itself, if it is only handed on.
        reader = min(readers or [source], key=positions.__getitem__)
        size = element_count(shape)
        parameters[reader] = parameters.get(reader, 0) + size
    found = sorted({*macs, *parameters}, key=positions.__getitem__)
    return tuple(
        NodeCost(node, view.node(node).op, macs.get(node, 0), parameters.get(node, 0))
        for node in found
    )


def total(macs: Iterable[Optional[int]]) -> Optional[int]:
    """The sum of MACs; None if any are not known."""
    values = list(macs)
    return None if None in values else sum(value or 0 for value in values)


def full_shapes(trace: Trace) -> Dict[str, Shape]:
    """Weight in which channels live -> shape in the trace."""
    return {
        name: tuple(len(axis) for axis in axes) for name, axes in trace.weights.items()
    }


def planned_shapes(trace: Trace, cuts: Iterable[Cut]) -> Dict[str, Shape]:
    """Variable or weight -> shape once the cuts of a plan are removed."""
    axes: Dict[Tuple[str, int, int], np.ndarray] = {
        (key, axis, channels.size): channels
        for node, key in trace.keys().items()
        for axis, channels in enumerate(trace.weights[node])
    }
    gone = np.zeros(trace.count, bool)
    for cut in cuts:
        channels = axes[cut.variable, cut.axis, cut.size]
        gone[channels[list(cut.indices)]] = True
    left = {
        name: tuple(int((~gone[axis]).sum()) for axis in axes)
        for name, axes in trace.weights.items()
    }
    return {**{v.node: v.shape for v in trace.model.variables}, **left}
