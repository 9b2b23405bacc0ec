"""Computes the dictionaries of the `Pruning` class from groups and plan.

Their form:

| name | form |
|---|---|
| scope_conv_dict | scope -> names of its convolution and dense nodes, in graph order |
| conv_vars_dict | node name -> name of its weight variable (`w:0`) |
| bias_vars_dict | node name -> names of the bias or batch-norm variables behind it |
| pruning_filters_dict | group -> sorted filters to prune, along the first producer |
| strip_nodes_dict | group -> names of the nodes whose kernels shrink |
| strip_vars_dict | variable -> axis (as text, as JSON has it) -> sorted indices |

A scope that holds several groups, such as the whole model, is split: the keys are then
the names of its groups.
"""

from __future__ import annotations

from typing import Dict, List, Sequence

from tf1pruning.channels.trace_result import CONSUMER, PRODUCER
from tf1pruning.facade.state import State


def scope_conv(state: State) -> Dict[str, List[str]]:
    """See the module's table."""
    groups = state.trained.groups if state.trained else {}
    return {key: list(group.kernels) for key, group in groups.items()}


def conv_vars(state: State) -> Dict[str, str]:
    """See the module's table."""
    selection = state.trained
    if selection is None:
        return {}
    trace, nodes = selection.model.trace, selection.layers
    keys = trace.keys()
    return {
        kernel.node: f'{keys[kernel.variable]}:0'
        for kernel in trace.kernels
        if kernel.node in nodes and kernel.variable in keys
    }


def bias_vars(state: State) -> Dict[str, List[str]]:
    """See the module's table.

    A vector belongs to the layer that precedes its first use in graph order.
    """
    if state.trained is None:
        return {}
    trace, groups = state.trained.model.trace, state.trained.groups.values()
    keys = trace.keys()
    layers = {kernel.node for kernel in trace.kernels}
    within = {place.variable for group in groups for place in group.places}
    result: Dict[str, List[str]] = {n: [] for group in groups for n in group.kernels}
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


def pruning_filters(state: State) -> Dict[str, Sequence[int]]:
    """See the module's table."""
    if state.plan is None:
        return dict(state.given_filters)
    selection = state.trained or state.rebuilt
    keyed = selection.groups.items() if selection else ()
    names = {group.name: key for key, group in keyed}
    return {names.get(g.name, g.name): list(g.removed) for g in state.plan.groups}


def strip_nodes(state: State) -> Dict[str, List[str]]:
    """See the module's table."""
    if state.strip_plan is None or state.rebuilt is None:
        return {}
    cut = {group.name for group in state.strip_plan.groups if group.removed}
    return {
        key: list(group.kernels)
        for key, group in state.rebuilt.groups.items()
        if group.name in cut
    }


def strip_vars(state: State) -> Dict[str, Dict[str, List[int]]]:
    """See the module's table."""
    found: Dict[str, Dict[str, List[int]]] = {}
    for cut in state.strip_plan.cuts if state.strip_plan else ():
        indices = found.setdefault(cut.variable, {}).setdefault(str(cut.axis), [])
        indices[:] = sorted({*indices, *cut.indices})
    return found
