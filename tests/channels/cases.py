"""Traced networks with random weights, and a plan for each."""

from __future__ import annotations

import dataclasses
import functools
from typing import Dict, Mapping, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning import plan as plan_lib
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels import trace_result
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.surgery import soft, verify
from tf1pruning.surgery import stripped as stripped_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A traced network with random weights."""

    model: InferenceGraph
    trace: trace_result.Trace
    groups: Tuple[groups_lib.Group, ...]
    arrays: Dict[str, np.ndarray]

    def plan(self, mode: str) -> plan_lib.Plan:
        """Every third channel of every group that may be cut goes."""
        free = [group for group in self.groups if not group.frozen]
        return plan_lib.Plan(
            fingerprint=plan_lib.fingerprint(free, self.model),
            mode=mode,
            channel_multiple=1,
            threshold=None,
            groups=tuple(
                plan_lib.plan_group(g, range(0, g.width - 1, 3), g.width) for g in free
            ),
        )

    def soft_pruned(self, plan: plan_lib.Plan) -> Dict[str, np.ndarray]:
        """Arrays with zeros at the cuts."""
        return dict(soft.SoftPruned(ArraysInMemory(self.arrays), plan, self.arrays))

    def strip(
        self,
        arrays: Mapping[str, np.ndarray],
        plan: Optional[plan_lib.Plan] = None,
    ) -> stripped_lib.Stripped:
        return stripped_lib.strip(self.trace, self.groups, ArraysInMemory(arrays), plan)

    def outputs(
        self, model: InferenceGraph, arrays: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Answers of a model to the input that belongs to the case."""
        generator = np.random.RandomState(0)
        feeds = {'input': generator.standard_normal([2, 8, 8, 3])}
        return verify.run(freeze(model, arrays), ['output'], feeds)[0]


@functools.lru_cache(maxsize=None)
def case_of(graph: tf.Graph) -> Case:
    model = networks.model_of(graph)
    trace = trace_lib.trace(model)
    arrays = networks.random_arrays(graph)
    return Case(
        model,
        trace,
        groups_lib.find_groups(trace),
        {v.node: arrays[v.key] for v in model.variables},
    )


@functools.lru_cache(maxsize=None)
def unpruned_outputs(case: Case) -> np.ndarray:
    return case.outputs(case.model, case.arrays)
