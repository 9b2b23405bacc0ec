"""Makes plans: by a threshold on a criterion, or from filters that someone names."""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Sequence, Tuple, Union

import numpy as np

from tf1pruning import names, plan_json
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.criteria import weights as criteria
from tf1pruning.errors import PlanError
from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.workflow import legacy
from tf1pruning.workflow.loading import Source

Filters = Mapping[str, Sequence[int]]


def plan_by_threshold(
    source: Source,
    groups: Collection[Group],
    threshold: float,
    multiple: int,
    mode: str,
) -> Plan:
    """Plans the removal of all filters whose sparsity lies above a threshold.

    A group is judged by its first producer: the expansion of an inverted-residual
    block, the reducing layer of a squeeze-and-excite block.

    Raises:
      CheckpointError: if a weight is NaN or infinite.
    """
    source.arrays()
    plans = [_by_threshold(source, g, threshold, multiple) for g in groups]
    return _plan(source, groups, plans, threshold, multiple, mode)


def _by_threshold(
    source: Source, group: Group, threshold: float, multiple: int
) -> GroupPlan:
    place = group.producer
    kernel = source.checkpoint[place.variable]
    scores = criteria.sparsity(kernel, place.axis)[place.positions].mean(axis=1)
    sizes = criteria.l1(kernel, place.axis)[place.positions].sum(axis=1)
    return plan_lib.choose(group, scores, sizes, threshold, multiple)


def plan_by_filters(
    source: Source,
    groups: Mapping[str, Group],
    filters: Filters,
    multiple: int,
    mode: str,
) -> Plan:
    """Plans the removal of named filters; the widths are taken as they come.

    Args:
      source: the model.
      groups: scope or group name -> group.
      filters: scope or group name -> filters, counted along the first producer.
      multiple: recorded in the plan for stripping.
      mode: recorded in the plan.

    Raises:
      PlanError: on an unknown name or a filter that does not exist.
    """
    known: Dict[str, Group] = {g.name: g for g in groups.values()}
    known.update({key.strip('/'): group for key, group in groups.items()})
    plans = {group.name: plan_lib.plan_group(group, (), 0) for group in known.values()}
    for key, channels in filters.items():
        group = known.get(key.strip('/'))
        if group is None:
            hint = names.did_you_mean(key, known)
            raise PlanError(f'Filters are given for {key!r}, which is no group. {hint}')
        chosen = np.unique(np.asarray(channels, np.int64))
        unknown = chosen[(chosen < 0) | (chosen >= group.width)]
        if unknown.size:
            raise PlanError(
                f'Filter {unknown[0]} is given for {key!r}, which has {group.width}.'
            )
        plans[group.name] = plan_lib.plan_group(group, chosen, chosen.size)
    unique = {group.name: group for group in known.values()}
    return _plan(source, unique.values(), list(plans.values()), None, multiple, mode)


def _plan(
    source: Source,
    groups: Collection[Group],
    plans: Sequence[GroupPlan],
    threshold: Union[float, None],
    multiple: int,
    mode: str,
) -> Plan:
    return Plan(
        fingerprint=plan_lib.fingerprint(groups, source.model),
        mode=mode,
        channel_multiple=multiple,
        threshold=threshold,
        groups=tuple(plans),
    )


def load_filters(path: str) -> Union[Plan, Dict[str, Tuple[int, ...]]]:
    """A plan from its JSON, or named filters from a `.pkl` of the older system."""
    if path.endswith('.pkl'):
        return legacy.read_filters(path)
    return plan_json.load(path)
