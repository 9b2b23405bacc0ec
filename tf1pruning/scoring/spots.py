"""Spots: where the channels of a group are observed while the model works."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from tf1pruning import names
from tf1pruning.channels.groups import Group, Place
from tf1pruning.channels.trace_result import BIAS, SCALE, Trace
from tf1pruning.choosing.scores import judging_places
from tf1pruning.criteria.registry import ACTIVATIONS, SCALES


class ActivationSpot(NamedTuple):
    """The tensor that a layer reads: the channels of a group behind all other ops.

    Attributes:
      node: the layer.
      reads: number of its input.
      size: positions that the layer's kernel has for them; a grouped convolution has
        fewer than the tensor.
      positions: `[width, entries]` positions of each channel along the channel axis.
    """

    node: str
    reads: int
    size: int
    positions: np.ndarray


class Column(NamedTuple):
    """An axis of a variable, and where on it the channels of a group lie.

    Attributes:
      variable: node of the variable.
      axis: axis of the variable.
      positions: `[width, entries]`.
    """

    variable: str
    axis: int
    positions: np.ndarray


# Weights that make the channels of a group, side by side.
WeightSpot = Tuple[Column, ...]
Spot = Union[ActivationSpot, WeightSpot]


def spots_of(trace: Trace, group: Group, looks_at: str) -> Sequence[Spot]:
    """The spots of a group at which a criterion looks; see `DataCriterion`."""
    if looks_at == ACTIVATIONS:
        return _activation_spots(trace, group)
    if looks_at == SCALES:
        return _weight_spots(trace, _scale_families(group))
    return _weight_spots(trace, [[place] for place in judging_places(group, trace)])


def _activation_spots(trace: Trace, group: Group) -> List[ActivationSpot]:
    """The tensors that the layers behind a group read, each once."""
    view = trace.model.view()
    spots: Dict[str, ActivationSpot] = {}
    for kernel in trace.kernels:
        channels = trace.weights[kernel.source][kernel.in_axis]
        if kernel.depthwise or not np.isin(group.channels[0], channels):
            continue
        tensor = view.node(kernel.node).input[kernel.reads]
        positions = np.stack([np.flatnonzero(channels == c) for c in group.channels])
        spot = ActivationSpot(kernel.node, kernel.reads, len(channels), positions)
        spots.setdefault(tensor, spot)
    return list(spots.values())


def _scale_families(group: Group) -> List[List[Place]]:
    """Each gamma behind a group, with the beta of the same scope."""

    def scope(place: Place) -> str:
        return names.parent_scope(place.variable)

    biases = [place for place in group.places if place.role == BIAS]
    return [
        [scale, *(bias for bias in biases if scope(bias) == scope(scale))]
        for scale in group.places
        if scale.role == SCALE
    ]


def _weight_spots(
    trace: Trace, families: Sequence[Sequence[Place]]
) -> List[WeightSpot]:
    """The variables of families of places; the first of each must be one."""
    nodes = {key: node for node, key in trace.model.keys().items()}
    return [
        tuple(
            Column(nodes[place.variable], place.axis, place.positions)
            for place in family
            if place.variable in nodes
        )
        for family in families
        if family[0].variable in nodes
    ]
