"""Lists the groups of a model, what they cost, and why some may not be cut."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.criteria import weights
from tf1pruning.graph.inference_graph import Flag
from tf1pruning.report import cost, text
from tf1pruning.report.cost import NodeCost
from tf1pruning.shapes import element_count

_LEGEND = (
    'Places: axes of variables that the channels live on. MACs: of all layers that '
    'make or read the channels; a layer between two groups counts for both.'
)
_OF_SPARSITY = (
    ' Sparsity: mean share of the weights of a filter below the mean magnitude of '
    'their layer.'
)
_REASON_WIDTH = 60


@dataclasses.dataclass(frozen=True)
class GroupFigures:
    """A group in numbers.

    Attributes:
      name: of the group.
      kind: see `channels.blocks`.
      channels: number of channels.
      places: number of variable axes that they live on.
      parameters: weights that belong to them.
      macs: of the layers that make or read them; None if a size is not static.
      sparsity: mean sparsity of their filters in the first producer; None if no weights
        were read.
      reasons: why the group may not be cut; empty if it may.
    """

    name: str
    kind: str
    channels: int
    places: int
    parameters: int
    macs: Optional[int]
    sparsity: Optional[float]
    reasons: Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Analysis:
    """A model in numbers.

    Attributes:
      inputs: names of the input nodes.
      outputs: names of the output nodes.
      parameters: of the whole model.
      macs: of the whole model, for one example; None if a size is not static.
      groups: in graph order.
      nodes: all nodes that cost something, in graph order.
      unsupported_ops: op types without a rule, all of them.
      lost_layers: layer whose channels could not be followed -> why.
      flags: those of the training graph that have one value in the model.
    """

    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    parameters: int
    macs: Optional[int]
    groups: Tuple[GroupFigures, ...]
    nodes: Tuple[NodeCost, ...]
    unsupported_ops: Tuple[str, ...]
    lost_layers: Mapping[str, str]
    flags: Tuple[Flag, ...] = ()

    @property
    def channels(self) -> int:
        """Channels of all groups."""
        return sum(group.channels for group in self.groups)

    @property
    def prunable_channels(self) -> int:
        """Channels of the groups that may be cut."""
        return sum(group.channels for group in self.groups if not group.reasons)

    def as_json(self) -> Dict[str, Any]:
        """The analysis as plain data."""
        return {
            **dataclasses.asdict(self),
            'channels': self.channels,
            'prunable_channels': self.prunable_channels,
        }

    def node_table(self) -> str:
        """The nodes as a table."""
        return text.table(
            ['node', 'op', 'parameters', 'MACs'],
            [
                [each.node, each.op, f'{each.parameters:,}', text.number(each.macs)]
                for each in self.nodes
            ],
        )

    def __str__(self) -> str:
        header = ['group', 'kind', 'channels', 'places', 'parameters', 'MACs']
        is_read = any(group.sparsity is not None for group in self.groups)
        header += ['sparsity', 'frozen'] if is_read else ['frozen']
        share = 100 * self.prunable_channels / max(self.channels, 1)
        lines = [
            text.table(header, [_row(group) for group in self.groups]),
            '',
            f'{self.prunable_channels:,} of {self.channels:,} channels may be cut '
            f'({share:.1f} %); {self.parameters:,} parameters, '
            f'{text.number(self.macs)} MACs.',
            _LEGEND + (_OF_SPARSITY if is_read else ''),
        ]
        if self.unsupported_ops:
            lines.append(f'Ops without a rule: {", ".join(self.unsupported_ops)}.')
        lines += [
            f'Not followed through layer {name!r}: {why}.'
            for name, why in self.lost_layers.items()
        ]
        lines += [f'Decided: {flag}.' for flag in self.flags]
        return '\n'.join(lines)


def _row(group: GroupFigures) -> List[object]:
    reason = '; '.join(group.reasons)
    sparsity = [] if group.sparsity is None else [f'{group.sparsity:.2f}']
    return [
        group.name,
        group.kind,
        group.channels,
        group.places,
        f'{group.parameters:,}',
        text.number(group.macs),
        *sparsity,
        text.shortened(reason, _REASON_WIDTH),
    ]


def analyze(
    trace: Trace,
    groups: Sequence[Group],
    shapes: Mapping[str, Tuple[int, ...]],
    arrays: Optional[Mapping[str, np.ndarray]] = None,
) -> Analysis:
    """Figures of a model and its groups.

    Args:
      trace: of the model.
      groups: those of interest.
      shapes: checkpoint key, or name of a Const node -> shape.
      arrays: the weights themselves; None: their sparsity is not known.
    """
    by_node = {v.node: shapes[v.key] for v in trace.model.variables}
    macs = cost.layer_macs(trace, by_node)
    return Analysis(
        inputs=trace.model.inputs,
        outputs=trace.model.outputs,
        parameters=sum(element_count(shape) for shape in shapes.values()),
        macs=cost.total(macs.values()),
        groups=tuple(_figures(group, macs, shapes, arrays) for group in groups),
        nodes=cost.node_costs(trace, by_node),
        unsupported_ops=trace.unsupported,
        lost_layers=trace.lost,
        flags=trace.model.flags,
    )


def _figures(
    group: Group,
    macs: Mapping[str, Optional[int]],
    shapes: Mapping[str, Tuple[int, ...]],
    arrays: Optional[Mapping[str, np.ndarray]],
) -> GroupFigures:
    return GroupFigures(
        name=group.name,
        kind=group.kind,
        channels=group.width,
        places=len(group.places),
        parameters=_parameters(group, shapes),
        macs=cost.total(macs[node] for node in group.kernels),
        sparsity=None if arrays is None else _sparsity(group, arrays),
        reasons=group.reasons,
    )


def _sparsity(group: Group, arrays: Mapping[str, np.ndarray]) -> float:
    producer = group.producer
    scores = weights.sparsity(arrays[producer.variable], producer.axis)
    return float(scores[producer.positions].mean())


def _parameters(group: Group, shapes: Mapping[str, Tuple[int, ...]]) -> int:
    """Weights at any place of a group; one at two places counts once."""
    touched: Dict[str, Dict[int, Set[int]]] = {}
    for place in group.places:
        axes = touched.setdefault(place.variable, {})
        axes.setdefault(place.axis, set()).update(place.positions.ravel().tolist())
    total = 0
    for variable, axes in touched.items():
        shape = shapes[variable]
        rest = [size - len(axes.get(axis, ())) for axis, size in enumerate(shape)]
        total += element_count(shape) - element_count(rest)
    return total
