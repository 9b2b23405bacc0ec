"""How much of a network can be pruned, and whether the result is exact.

A network gets random weights. Of every group that may be cut the same share of channels
goes, those with the lowest score. The soft-pruned network, run by TensorFlow, is the
reference for the stripped one. It must differ from the unpruned network, or the check
would prove nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import time
from typing import Callable, Dict, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks.subjects import Subject
from demo.networks import random_weights
from tf1pruning import plan as plan_lib
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels import trace_result
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory
from tf1pruning.criteria import weights as criteria
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.plan import Plan
from tf1pruning.surgery import soft, verify, weights
from tf1pruning.surgery import stripped as stripped_lib

IS_OUTPUT = 'is a model output'
MULTIPLE = 4

# Scenario -> how many channels go of a group of some width.
SCENARIOS: Dict[str, Callable[[int], int]] = {
    'a quarter': lambda width: width // 4,
    'half': lambda width: width // 2,
    'all but 4': lambda width: max(0, width - MULTIPLE),
}
CRITERIA: Dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    # The larger, the more redundant.
    'sparsity': criteria.sparsity,
    'l1': lambda kernel, axis: -criteria.l1(kernel, axis),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A traced network with random weights.

    Attributes:
      trace: of its inference model.
      groups: of the trace.
      arrays: checkpoint key -> array.
      trace_seconds: for labels and groups.
    """

    trace: Trace
    groups: Tuple[Group, ...]
    arrays: Dict[str, np.ndarray]
    trace_seconds: float

    @property
    def model(self) -> InferenceGraph:
        """The inference model."""
        return self.trace.model

    @property
    def free(self) -> Tuple[Group, ...]:
        """The groups that may be cut."""
        return tuple(group for group in self.groups if not group.frozen)

    def frozen(self, checkpoint: Arrays) -> tf.GraphDef:
        """The network with other weights, as one GraphDef."""
        return freeze.freeze(self.model, weights.model_arrays(self.model, checkpoint))


@dataclasses.dataclass(frozen=True)
class Channels:
    """Output channels of all convolutions and dense layers.

    Attributes:
      total: all of them but the model's outputs.
      prunable: those in groups that may be cut.
      outputs: those that are the model's outputs.
      frozen: reason -> channels that stay for it; names in it are those of one example.
    """

    total: int
    prunable: int
    outputs: int
    frozen: Dict[str, int]

    @property
    def share(self) -> float:
        """Prunable share of the total."""
        return self.prunable / self.total


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What pruning all groups at once gave.

    Attributes:
      scenario: a key of `SCENARIOS`.
      planned: output channels of layers in the plan, counted as in `Channels`.
      removed: those that were stripped.
      difference: of the stripped to the soft-pruned outputs, relative to their scale.
      effect: of the soft-pruned to the unpruned outputs, relative to their scale.
      variation: of the soft-pruned outputs between two images, relative to their
        scale; at zero the network passes no signal and `difference` proves nothing.
      plan_seconds: for criterion and plan.
      strip_seconds: for the stripped graph and its arrays.
    """

    scenario: str
    planned: int
    removed: int
    difference: float
    effect: float
    variation: float
    plan_seconds: float
    strip_seconds: float


def load(subject: Subject) -> Case:
    """Traces a network and draws its weights."""
    meta_graph = subject.meta_graph()
    model = derivation.derive(meta_graph, subject.outputs)
    started = time.perf_counter()
    trace = trace_lib.trace(model)
    groups = groups_lib.find_groups(trace)
    seconds = time.perf_counter() - started
    return Case(trace, groups, random_weights.random_arrays(model), seconds)


def count_channels(case: Case) -> Channels:
    """Who may go, and why the others stay."""
    groups = {int(c): group for group in case.groups for c in group.channels}
    layers = {(kernel.source, kernel.out_axis) for kernel in case.trace.kernels}
    prunable = outputs = 0
    frozen: Dict[str, int] = {}
    example: Dict[str, str] = {}
    for source, axis in sorted(layers):
        for number in case.trace.weights[source][axis].tolist():
            group = groups.get(number)
            if group is not None and not group.frozen:
                prunable += 1
                continue
            reason = group.reasons[0] if group else 'is fixed'
            if reason == IS_OUTPUT:
                outputs += 1
                continue
            kind = re.sub(r"'[^']*'", '', reason)
            example.setdefault(kind, reason)
            frozen[example[kind]] = frozen.get(example[kind], 0) + 1
    total = prunable + sum(frozen.values())
    return Channels(total, prunable, outputs, frozen)


def prune(
    case: Case, scenario: str, criterion: str, groups: Sequence[Group]
) -> Outcome:
    """Prunes groups of a network softly, strips it and runs both.

    Args:
      case: the network.
      scenario: a key of `SCENARIOS`.
      criterion: a key of `CRITERIA`.
      groups: those to prune.

    Raises:
      VerificationError: if one of the networks does not run.
    """
    started = time.perf_counter()
    plan = _plan(case, groups, SCENARIOS[scenario], criterion)
    planned = time.perf_counter()
    pruned = soft.SoftPruned(ArraysInMemory(case.arrays), plan, list(case.arrays))
    retrained = weights.model_arrays(case.model, _retrained(pruned, plan))
    soft_pruned = time.perf_counter()
    stripped = stripped_lib.strip(case.trace, case.groups, retrained, plan)
    done = time.perf_counter()
    answers, difference = _compared(case, retrained, stripped)
    soft_network = verify.Imported(case.frozen(pruned), case.model.outputs)
    effect = verify.differences(_unpruned(case), soft_network)
    return Outcome(
        scenario=scenario,
        planned=_made(plan),
        removed=_made(stripped.plan),
        difference=difference,
        effect=effect.relative,
        variation=_variation(answers[0].values),
        plan_seconds=planned - started,
        strip_seconds=done - soft_pruned,
    )


def difference_of(case: Case, group: Group) -> float:
    """The `difference` of an outcome if half of one group goes, by the criterion l1."""
    plan = _plan(case, [group], SCENARIOS['half'], 'l1')
    pruned = soft.SoftPruned(ArraysInMemory(case.arrays), plan, list(case.arrays))
    retrained = weights.model_arrays(case.model, _retrained(pruned, plan))
    stripped = stripped_lib.strip(case.trace, case.groups, retrained, plan)
    return _compared(case, retrained, stripped)[1]


def _compared(
    case: Case, retrained: Arrays, stripped: stripped_lib.Stripped
) -> Tuple[Tuple[verify.Answers, ...], float]:
    """Answers of the soft-pruned network, and how much the stripped one differs."""
    reference = freeze.freeze(case.model, retrained)
    answers = verify.answers_of(reference, case.model.outputs)
    frozen = freeze.freeze(stripped.graph, stripped.arrays)
    small = verify.Imported(frozen, case.model.outputs)
    return answers, verify.differences(answers, small).relative


@functools.lru_cache(maxsize=1)
def _unpruned(case: Case) -> Tuple[verify.Answers, ...]:
    """What the network answers before anything is pruned."""
    return verify.answers_of(
        case.frozen(ArraysInMemory(case.arrays)), case.model.outputs
    )


def _retrained(pruned: Arrays, plan: Plan) -> ArraysInMemory:
    """What a retraining does for a network that lost most of its channels.

    Kernels that read fewer channels grow, so that the signal stays alive and the
    comparison is about more than the biases. Zeros stay zeros.
    """
    gone: Dict[Tuple[str, int], int] = {}
    for cut in plan.cuts:
        if cut.role == trace_result.CONSUMER:
            place = (cut.variable, cut.axis)
            gone[place] = gone.get(place, 0) + len(cut.indices)
    arrays = dict(pruned)
    for (variable, axis), count in gone.items():
        size = arrays[variable].shape[axis]
        growth = np.float32(np.sqrt(size / max(1, size - count)))
        arrays[variable] = arrays[variable] * growth
    return ArraysInMemory(arrays)


def _plan(
    case: Case,
    groups: Sequence[Group],
    count: Callable[[int], int],
    criterion: str,
) -> Plan:
    plans = []
    for group in groups:
        place = group.producer
        scores = CRITERIA[criterion](case.arrays[place.variable], place.axis)
        means = scores[place.positions].mean(axis=1)
        channels = np.argsort(-means, kind='stable')[: count(group.width)]
        plans.append(plan_lib.plan_group(group, channels, len(channels)))
    fingerprint = plan_lib.fingerprint(groups, case.model)
    return Plan(fingerprint, plan_lib.BLOCK, 1, None, tuple(plans))


def _variation(found: Sequence[np.ndarray]) -> float:
    """Smallest, over outputs, difference between the two images of a batch."""
    scales = [np.abs(array).max() or 1.0 for array in found]
    return min(float(np.abs(a[0] - a[1]).max() / s) for a, s in zip(found, scales))


def _made(plan: Plan) -> int:
    """Output channels of layers that a plan removes."""
    return sum(
        len(cut.indices) for cut in plan.cuts if cut.role == trace_result.PRODUCER
    )
