"""Spots: where the channels of a group are looked at while the model works."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from tf1pruning import names
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import BIAS, CONSUMER, SCALE, Trace
from tf1pruning.choosing.scores import judging_places
from tf1pruning.criteria.registry import ACTIVATIONS, SCALES


class ActivationSpot(NamedTuple):
    """The tensor that a layer reads: what a group's channels are behind everything.

    Attributes:
      group: name of the group.
      node: the layer.
      reads: number of its input.
      size: positions that the layer's kernel has for them; a grouped convolution has
        fewer than the tensor.
      positions: `[width, entries]` positions of each channel along the channel axis.
    """

    group: str
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


class WeightSpot(NamedTuple):
    """Weights that make the channels of a group, side by side.

    Attributes:
      group: name of the group.
      columns: the weights.
    """

    group: str
    columns: Tuple[Column, ...]


def activation_spots(trace: Trace, group: Group) -> List[ActivationSpot]:
    """The tensors that the layers behind a group read, each once."""
    keys = trace.keys()
    view = trace.model.view()
    spots: Dict[str, ActivationSpot] = {}
    for place in group.places:
        if place.role != CONSUMER:
            continue
        for kernel in trace.kernels:
            reads_it = keys[kernel.source] == place.variable
            if kernel.depthwise or kernel.in_axis != place.axis or not reads_it:
                continue
            tensor = view.node(kernel.node).input[kernel.reads]
            size = len(trace.weights[kernel.source][kernel.in_axis])
            spot = ActivationSpot(
                group.name, kernel.node, kernel.reads, size, place.positions
            )
            spots.setdefault(tensor, spot)
    return list(spots.values())


def weight_spots(trace: Trace, group: Group) -> List[WeightSpot]:
    """The kernels that a group is judged by."""
    nodes = {key: node for node, key in trace.model.keys().items()}
    return [
        WeightSpot(
            group.name,
            (Column(nodes[place.variable], place.axis, place.positions),),
        )
        for place in judging_places(group, trace)
        if place.variable in nodes
    ]


def scale_spots(trace: Trace, group: Group) -> List[WeightSpot]:
    """The batch norms behind a group: each gamma, with the beta of the same scope."""
    nodes = {key: node for node, key in trace.model.keys().items()}
    spots = []
    for scale in group.places:
        if scale.role != SCALE or scale.variable not in nodes:
            continue
        scope = names.parent_scope(scale.variable)
        columns = [Column(nodes[scale.variable], scale.axis, scale.positions)]
        columns += [
            Column(nodes[place.variable], place.axis, place.positions)
            for place in group.places
            if place.role == BIAS
            and place.variable in nodes
            and names.parent_scope(place.variable) == scope
        ]
        spots.append(WeightSpot(group.name, tuple(columns)))
    return spots


Spot = Union[ActivationSpot, WeightSpot]


def spots_of(trace: Trace, group: Group, looks_at: str) -> Sequence[Spot]:
    """The spots of a group at which a criterion looks; see `DataCriterion`."""
    if looks_at == ACTIVATIONS:
        return activation_spots(trace, group)
    return (scale_spots if looks_at == SCALES else weight_spots)(trace, group)
