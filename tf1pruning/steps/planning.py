"""Makes plans: by the scores of a criterion, or from named filters."""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Optional, Sequence

from absl import logging

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import PRODUCER
from tf1pruning.choosing import choice as choice_lib
from tf1pruning.choosing import global_list, groupwise
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Scorer
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.steps import budgets
from tf1pruning.steps.ranking import Ranking

Filters = Mapping[str, Sequence[int]]


def plan_by_choice(
    model: Model,
    groups: Collection[Group],
    choice: Choice,
    ranking: Ranking,
    mode: str = plan_lib.BLOCK,
    limits: RunLimits = STRICT,
) -> Plan:
    """Plans the removal of the channels that a choice means; logs why if none goes.

    Args:
      model: the model.
      groups: what may be cut.
      choice: how many channels go; checked by `Ranking.check`.
      ranking: which ones go first.
      mode: of soft pruning.
      limits: of the runs that measure a latency.

    Raises:
      OptionError: if a group lacks what the criterion looks at, or a scope of the
        choice holds no group.
      PlanError: if the limits of the choice do not let so many go.
      DataError: if scores are of other weights.
      CheckpointError: if a weight is NaN or infinite.
      GraphError: if MACs are asked for and are not known.
      VerificationError: if the latency is asked for and the model does not run.
    """
    scorer = ranking.scorer(model)
    plan = plan_by_scorer(model, groups, choice, scorer, mode, limits)
    if not plan.removed_count:
        logging.warning('%s', why_nothing_goes(plan, groups, choice, scorer))
    return plan


def plan_by_scorer(
    model: Model,
    groups: Collection[Group],
    choice: Choice,
    scorer: Scorer,
    mode: str = plan_lib.BLOCK,
    limits: RunLimits = STRICT,
) -> Plan:
    """Like `plan_by_choice`, by scores of any origin."""
    chosen, multiple = list(groups), choice.limits.multiple
    choice_lib.check_scopes(choice, chosen)

    def plan(plans: Sequence[GroupPlan]) -> Plan:
        return _plan(model, chosen, plans, choice.threshold, multiple, mode)

    if not choice.is_global:
        return plan(groupwise.choose(chosen, choice, scorer))
    scored = [scorer(group, None) for group in chosen]
    if choice.flop_penalty:
        scored = global_list.penalized(
            scored, budgets.channel_macs(model, chosen), choice.flop_penalty
        )
    if choice.target is None:
        return plan(global_list.choose(scored, choice))
    quantity = budgets.measure_of(model, choice.target.quantity, limits)
    return plan(global_list.choose(scored, choice, lambda plans: quantity(plan(plans))))


def why_nothing_goes(
    plan: Plan, groups: Collection[Group], choice: Choice, scorer: Scorer
) -> str:
    """Why the plan that a choice leads to removes no channel, in one line."""
    wanted = sum(group.wanted for group in plan.groups)
    if wanted:
        return (
            f'Nothing goes: {wanted} channels were chosen, but in no group enough for '
            f'a width that is a multiple of {choice.limits.multiple} within the limits.'
        )
    if choice.threshold is None:
        return 'Nothing goes: the choice is less than one channel of each group.'
    largest = max(float(scorer(group, None).scores.max()) for group in groups)
    return (
        f'Nothing goes: the largest score of a channel is {largest:.4g}, not above the '
        f'threshold {choice.threshold:g}.'
    )


def plan_by_filters(
    model: Model,
    groups: Mapping[str, Group],
    filters: Filters,
    multiple: int,
    mode: str,
) -> Plan:
    """Plans the removal of named filters; their number is not rounded.

    Args:
      model: the model.
      groups: scope or group name -> group.
      filters: scope or group name -> filters, counted along the first producer.
      multiple: recorded in the plan for stripping.
      mode: recorded in the plan.

    Raises:
      PlanError: on an unknown name or a filter that does not exist.
    """
    by_name = {group.name: group for group in groups.values()}
    known = {**by_name, **{key.strip('/'): group for key, group in groups.items()}}
    problems = [_problem(key, known, chosen) for key, chosen in filters.items()]
    if any(problems):
        raise PlanError(' '.join(problem for problem in problems if problem))
    chosen: Dict[str, Sequence[int]] = dict.fromkeys(by_name, ())
    for key, channels in filters.items():
        chosen[known[key.strip('/')].name] = sorted(set(map(int, channels)))
    plans = [plan_lib.plan_group(by_name[n], c, len(c)) for n, c in chosen.items()]
    return _plan(model, by_name.values(), plans, None, multiple, mode)


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


def _check_filters(plans: Sequence[GroupPlan]) -> None:
    """Raises PlanError for groups whose kernels no zeros can be written to."""
    kept = [
        plan.name
        for plan in plans
        if plan.cuts and all(cut.role != PRODUCER for cut in plan.cuts)
    ]
    if kept:
        raise PlanError(
            f"Mode 'filter' zeroes the kernels that make channels, and those of "
            f'{names.quoted(kept)} are constants, or are computed of variables whose '
            "zeros would not make them zero. Use mode 'block', or protect them."
        )


def _plan(
    model: Model,
    groups: Collection[Group],
    plans: Sequence[GroupPlan],
    threshold: Optional[float],
    multiple: int,
    mode: str,
) -> Plan:
    if mode == plan_lib.FILTER:
        _check_filters(plans)
    return Plan(
        fingerprint=plan_lib.fingerprint(groups, model.graph),
        mode=mode,
        channel_multiple=multiple,
        threshold=threshold,
        groups=tuple(plans),
    )
