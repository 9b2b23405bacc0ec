"""The dictionaries of the `Pruning` class, computed from groups and plan.

Their form:

| name | form |
|---|---|
| scope_conv_dict | scope -> names of its convolution and dense nodes, in graph order |
| conv_vars_dict | node name -> name of its weight variable (`w:0`) |
| bias_vars_dict | node name -> names of the bias or batch-norm variables behind it |
| pruning_filters_dict | group -> sorted filters to prune, along the first producer |
| strip_nodes_dict | group -> names of the nodes whose kernels shrink |
| strip_vars_dict | variable -> axis (as text, as JSON has it) -> sorted indices |

A scope that holds several groups (the whole model, say) is split: its groups' names are
the keys instead.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from tf1pruning.channels.groups import Group
from tf1pruning.channels.uses import CONSUMER, PRODUCER, Trace
from tf1pruning.plan import Plan

Selection = Mapping[str, Tuple[Group, ...]]


def by_key(selection: Selection) -> Dict[str, Group]:
    """Scope, or group name where a scope holds several groups -> group."""
    keyed = {}
    for scope, groups in selection.items():
        for group in groups:
            keyed[scope if len(groups) == 1 else group.name] = group
    return keyed


def scope_conv(selection: Selection) -> Dict[str, List[str]]:
    """See the module's table."""
    return {key: list(group.kernels) for key, group in by_key(selection).items()}


def conv_vars(selection: Selection, trace: Trace) -> Dict[str, str]:
    """See the module's table."""
    keys = trace.keys()
    nodes = _nodes(selection)
    return {
        kernel.node: f'{keys[kernel.source]}:0'
        for kernel in trace.kernels
        if kernel.node in nodes
    }


def bias_vars(selection: Selection, trace: Trace) -> Dict[str, List[str]]:
    """See the module's table.

    A vector belongs to the layer that precedes its first use in graph order.
    """
    keys = trace.keys()
    nodes = _nodes(selection)
    layers = {kernel.node for kernel in trace.kernels}
    within = {
        place.variable
        for groups in selection.values()
        for group in groups
        for place in group.places
    }
    result: Dict[str, List[str]] = {node: [] for node in nodes}
    current = ''
    for use in trace.uses:
        variable = keys[use.source]
        if use.node in layers:
            current = use.node
            continue
        known = result.get(current)
        if known is None or variable not in within or f'{variable}:0' in known:
            continue
        if use.role not in (PRODUCER, CONSUMER):
            known.append(f'{variable}:0')
    return result


def _nodes(selection: Selection) -> List[str]:
    return list(
        dict.fromkeys(
            node
            for groups in selection.values()
            for group in groups
            for node in group.kernels
        )
    )


def pruning_filters(plan: Plan, selection: Selection) -> Dict[str, List[int]]:
    """See the module's table."""
    names = {group.name: key for key, group in by_key(selection).items()}
    return {names.get(g.name, g.name): list(g.removed) for g in plan.groups}


def strip_nodes(plan: Plan, selection: Selection) -> Dict[str, List[str]]:
    """See the module's table."""
    cut = {group.name for group in plan.groups if group.removed}
    return {
        key: list(group.kernels)
        for key, group in by_key(selection).items()
        if group.name in cut
    }


def strip_vars(plan: Plan) -> Dict[str, Dict[str, List[int]]]:
    """See the module's table."""
    found: Dict[str, Dict[str, List[int]]] = {}
    for cut in plan.cuts:
        indices = found.setdefault(cut.variable, {}).setdefault(str(cut.axis), [])
        indices[:] = sorted({*indices, *cut.indices})
    return found
