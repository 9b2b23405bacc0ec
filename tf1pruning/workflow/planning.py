"""Makes plans: by a criterion, or from filters that someone names."""

from __future__ import annotations

from typing import (
    Callable,
    Collection,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from tf1pruning import names, plan_json
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group, Place
from tf1pruning.channels.uses import PRODUCER, SCALE
from tf1pruning.criteria import registry, weights
from tf1pruning.criteria.registry import Criterion
from tf1pruning.errors import OptionError, PlanError
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
    criterion: Optional[Criterion] = None,
) -> Plan:
    """Plans the removal of all filters whose score lies above a threshold.

    A group is judged by the layers that make its channels, depthwise ones left out;
    their scores are averaged. So an inverted-residual block is judged by its expansion,
    a squeeze-and-excite block by its reducing layer.

    Args:
      source: the model.
      groups: what may be cut.
      threshold: filters with a larger score go.
      multiple: kept widths are multiples of it.
      mode: of soft pruning.
      criterion: default: sparsity.

    Raises:
      CheckpointError: if a weight is NaN or infinite.
      OptionError: if a group lacks what the criterion looks at.
    """
    criterion = criterion or registry.find('sparsity')
    scored = _Scores(source, criterion)
    plans = [
        plan_lib.choose(group, *scored.of(group), threshold, multiple)
        for group in groups
    ]
    return _plan(source, groups, plans, threshold, multiple, mode)


def plan_by_ratio(
    source: Source,
    groups: Collection[Group],
    ratio: float,
    multiple: int,
    mode: str,
    criterion: Criterion,
) -> Plan:
    """Plans the removal of a share of the filters of each group: the highest scores.

    Args:
      source: the model.
      groups: what may be cut.
      ratio: share in (0, 1); rounded down to whole filters.
      multiple: kept widths are multiples of it.
      mode: of soft pruning.
      criterion: what ranks the filters.

    Raises:
      CheckpointError: if a weight is NaN or infinite.
      OptionError: if a group lacks what the criterion looks at.
    """
    scored = _Scores(source, criterion)
    plans = [
        plan_lib.choose_count(
            group, *scored.of(group), int(ratio * group.width), multiple
        )
        for group in groups
    ]
    return _plan(source, groups, plans, None, multiple, mode)


class _Scores:
    """Scores and sizes of the channels of a model's groups."""

    def __init__(self, source: Source, criterion: Criterion):
        self._arrays = source.keyed_arrays()
        self._criterion = criterion
        keys = source.model.keys()
        self._depthwise = {
            keys.get(k.source, k.source) for k in source.trace.kernels if k.depthwise
        }

    def of(self, group: Group) -> Tuple[np.ndarray, np.ndarray]:
        """`[width]` scores, and `[width]` L1 norms to tell equal ones apart."""
        makers = self._makers(group)
        judged = makers
        if self._criterion.of_scales:
            judged = [place for place in group.places if place.role == SCALE]
        if not judged:
            raise OptionError(
                f'Criterion {self._criterion.name!r} looks at batch-norm scales, and '
                f'group {group.name!r} has none. Choose another criterion, or scopes '
                'without this group.'
            )
        scores = [self._per_channel(p, self._criterion.score) for p in judged]
        sizes = [self._per_channel(p, weights.l1) for p in makers]
        return np.mean(scores, axis=0), np.sum(sizes, axis=0)

    def _makers(self, group: Group) -> List[Place]:
        makers = [place for place in group.places if place.role == PRODUCER]
        return [p for p in makers if p.variable not in self._depthwise] or makers

    def _per_channel(
        self, place: Place, score: Callable[..., np.ndarray]
    ) -> np.ndarray:
        scores = score(self._arrays[place.variable], place.axis)
        return scores[place.positions].mean(axis=1)


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
    problems = [_problem(key, known, chosen) for key, chosen in filters.items()]
    if any(problems):
        raise PlanError(' '.join(problem for problem in problems if problem))
    plans = {group.name: plan_lib.plan_group(group, (), 0) for group in known.values()}
    for key, channels in filters.items():
        group, chosen = known[key.strip('/')], np.unique(np.asarray(channels, np.int64))
        plans[group.name] = plan_lib.plan_group(group, chosen, chosen.size)
    unique = {group.name: group for group in known.values()}
    return _plan(source, unique.values(), list(plans.values()), None, multiple, mode)


def _problem(key: str, known: Mapping[str, Group], channels: Sequence[int]) -> str:
    """What is wrong with the filters that are given for a group; '' if nothing is."""
    group = known.get(key.strip('/'))
    if group is None:
        hint = names.did_you_mean(key, known)
        return f'Filters are given for {key!r}, which is no group. {hint}'
    unknown = [c for c in channels if not 0 <= c < group.width]
    if unknown:
        return f'Filter {unknown[0]} is given for {key!r}, which has {group.width}.'
    return ''


def _plan(
    source: Source,
    groups: Collection[Group],
    plans: Sequence[GroupPlan],
    threshold: Optional[float],
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
