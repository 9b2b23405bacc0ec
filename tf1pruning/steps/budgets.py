"""What a planned model costs: MACs, parameters, measured latency."""

from __future__ import annotations

import time
from typing import Callable, Collection, Dict, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.errors import GraphError
from tf1pruning.graph import importing
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.report import cost
from tf1pruning.steps import soft_pruning, stripping
from tf1pruning.surgery import verify

_WARM_UP = 3
_RUNS = 15


def measure_of(model: Model, quantity: str) -> Callable[[Plan], float]:
    """Plan -> what the planned model costs.

    Args:
      model: the model.
      quantity: 'macs', 'parameters' or 'latency' (seconds of one run, measured).

    Raises:
      GraphError: if the MACs are not known, for want of static sizes.
    """
    if quantity == 'latency':
        return lambda plan: latency(soft_pruning.with_zeros(model, plan), plan)
    if quantity == 'parameters':
        return lambda plan: _cost(model, plan).parameters
    return lambda plan: _macs(model, plan)


def channel_macs(model: Model, groups: Collection[Group]) -> Dict[str, float]:
    """Group name -> MACs that go with one of its channels.

    Raises:
      GraphError: if the MACs are not known, for want of static sizes.
    """
    empty = _plan_of(model, [])
    whole = _macs(model, empty)
    return {
        group.name: whole - _macs(model, _plan_of(model, [group]))
        if group.width > 1
        else 0
        for group in groups
    }


def planned_costs(model: Model, plan: Plan) -> Tuple[cost.Cost, cost.Cost]:
    """What a model costs before and after a plan is carried out."""
    return _cost(model, _plan_of(model, [])), _cost(model, plan)


def planned_latencies(model: Model, plan: Plan) -> Tuple[float, float]:
    """Seconds of a run before and after a plan is carried out, see `latency`."""
    before = _plan_of(model, [])
    after = latency(soft_pruning.with_zeros(model, plan), plan)
    return latency(soft_pruning.with_zeros(model, before), before), after


def _plan_of(model: Model, groups: Collection[Group]) -> Plan:
    """A plan to remove the first channel of each group."""
    return Plan(
        fingerprint=plan_lib.fingerprint(groups, model.graph),
        mode=plan_lib.BLOCK,
        channel_multiple=1,
        threshold=None,
        groups=tuple(plan_lib.plan_group(group, [0], 1) for group in groups),
    )


def _cost(model: Model, plan: Plan) -> cost.Cost:
    return cost.measure(model.trace, cost.planned_shapes(model.trace, plan), ())


def _macs(model: Model, plan: Plan) -> int:
    macs = _cost(model, plan).macs
    if macs is None:
        raise GraphError(
            'The MACs are not known, since the output size of a layer is not static. '
            'Give a target of parameters, or a graph with a fixed input size.'
        )
    return macs


def latency(model: Model, plan: Plan) -> float:
    """Median seconds of one run of the stripped model on two random examples.

    Args:
      model: soft-pruned by the plan.
      plan: what to strip.

    Raises:
      VerificationError: if no input can be made up, or the model does not run on it.
    """
    frozen = stripping.strip_model(model, plan, verify=False).frozen
    feeds = verify.random_inputs(frozen, seed=0)
    verify.run(frozen, model.graph.outputs, feeds)  # Says what is wrong, if it is.
    graph = importing.import_graph(frozen)
    # Without values handed back, only the network is timed.
    fetches = [graph.get_operation_by_name(name) for name in model.graph.outputs]
    seconds = []
    with tf.Session(graph=graph) as session:
        call = session.make_callable(fetches, [f'{name}:0' for name in feeds])
        for turn in range(_WARM_UP + _RUNS):
            started = time.perf_counter()
            call(*feeds.values())
            if turn >= _WARM_UP:
                seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
