"""What a planned model costs: MACs, parameters, measured latency."""

from __future__ import annotations

import time
from typing import Callable, Collection, Dict, Iterable, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.errors import GraphError
from tf1pruning.graph import importing
from tf1pruning.models.model import Model
from tf1pruning.plan import Cut, Plan
from tf1pruning.report import cost
from tf1pruning.sessions import STRICT, RunLimits, Session
from tf1pruning.steps import soft_pruning, stripping
from tf1pruning.surgery import verify

_WARM_UP = 3
_RUNS = 15


def measure_of(
    model: Model, quantity: str, limits: RunLimits = STRICT
) -> Callable[[Plan], float]:
    """Plan -> what the planned model costs.

    Args:
      model: the model.
      quantity: 'macs', 'parameters' or 'latency' (see `planned_latencies`).
      limits: of the runs that are timed.

    Raises:
      GraphError: if the MACs are not known, since a size is not static.
    """
    if quantity == 'latency':
        return lambda plan: _latency(model, plan, limits)
    if quantity == 'parameters':
        return lambda plan: _cost(model, plan.cuts).parameters
    return lambda plan: _macs(model, plan.cuts)


def channel_macs(model: Model, groups: Collection[Group]) -> Dict[str, float]:
    """Group name -> MACs that go with one of its channels.

    Raises:
      GraphError: if the MACs are not known, since a size is not static.
    """
    whole = _macs(model, ())
    return {
        group.name: whole - _macs(model, plan_lib.plan_group(group, [0], 1).cuts)
        if group.width > 1
        else 0
        for group in groups
    }


def planned_costs(model: Model, plan: Plan) -> Tuple[cost.Cost, cost.Cost]:
    """What a model costs before and after a plan is carried out."""
    return _cost(model, ()), _cost(model, plan.cuts)


def planned_latencies(
    model: Model, plan: Plan, limits: RunLimits = STRICT
) -> Tuple[float, float]:
    """Median seconds of a run on two random examples, before and after a plan.

    Raises:
      GraphError: if the model is not safe to run, or runs too long.
      VerificationError: if no input can be made up, or the model does not run on it.
    """
    before = seconds(model.frozen(), model.graph.outputs, limits)
    return before, _latency(model, plan, limits)


def _cost(model: Model, cuts: Iterable[Cut]) -> cost.Cost:
    return cost.measure(model.trace, cost.planned_shapes(model.trace, cuts), ())


def _macs(model: Model, cuts: Iterable[Cut]) -> int:
    macs = _cost(model, cuts).macs
    if macs is None:
        raise GraphError(
            'The MACs are not known, since the output size of a layer is not static. '
            'Give a target of parameters, or a graph with a fixed input size.'
        )
    return macs


def _latency(model: Model, plan: Plan, limits: RunLimits) -> float:
    zeroed = soft_pruning.with_zeros(model, plan)
    stripped = stripping.strip_model(zeroed, plan, verify=False, limits=limits)
    return seconds(stripped.frozen, model.graph.outputs, limits)


def seconds(
    frozen: tf.GraphDef, outputs: Sequence[str], limits: RunLimits = STRICT
) -> float:
    """Median seconds of one run of a frozen graph on two random examples."""
    feeds = verify.answers_of(frozen, outputs, limits)[0].feeds
    graph = importing.import_graph(frozen)
    # Without values handed back, only the network is timed.
    fetches = [graph.get_operation_by_name(name) for name in outputs]
    found = []
    with Session(graph, limits, optimize=True) as session:
        call = session.callable(fetches, [f'{name}:0' for name in feeds])
        for _ in range(_WARM_UP + _RUNS):
            started = time.perf_counter()
            call(*feeds.values())
            found.append(time.perf_counter() - started)
    return float(np.median(found[_WARM_UP:]))
