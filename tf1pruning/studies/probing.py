"""Probes a model on its data: the loss after pruning, at once or after a few steps.

Each point is one run over the data with other weights, fed into one session. With
steps, a clone that starts with these weights is trained first.
"""

from __future__ import annotations

import hashlib
from typing import Collection, Dict, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Scorer, judging_places
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory, Replaced
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import planning, soft_pruning
from tf1pruning.steps.data_scores import Trained
from tf1pruning.studies.clone import Clone, Steps
from tf1pruning.studies.evaluation import Evaluator, Outcome
from tf1pruning.surgery import soft, unstructured, weights

Means = Mapping[str, np.ndarray]


class Probe:
    """A model on its data, with its weights in memory.

    Args:
      trained: the model and its loss.
      batches: the data; kept in memory.
      steps: how a clone is trained before each point; None: no training.

    Raises:
      DataError: if there is none.
      CheckpointError: if variables are missing, damaged or not finite.
      GraphError: if there are steps and the loss cannot be trained.
    """

    def __init__(
        self, trained: Trained, batches: Batches, steps: Optional[Steps] = None
    ):
        model, loss_model = trained.model, trained.runnable
        self._graph = loss_model.model
        keys = {*model.weight_keys, *self._graph.keys().values()}
        kept = ArraysInMemory({key: model.variables[key] for key in keys})
        self.model = model.with_variables(kept)
        self._steps = steps
        arrays = weights.model_arrays(self._graph, model.variables)
        self._arrays = dict(arrays)
        self._evaluator = Evaluator(loss_model, arrays, batches)
        self._clone: Optional[Clone] = None
        if steps is not None:
            self._clone = Clone(model.meta_graph, loss_model, model.variables, steps)

    @property
    def fingerprint(self) -> str:
        """A digest of weights, data, loss and steps, which decide every point."""
        digest = hashlib.sha256(f'{self._graph.outputs} {self._steps} '.encode())
        for batch in [self._arrays, *self._evaluator.batches]:
            for name in sorted(batch):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(batch[name]).tobytes())
        return digest.hexdigest()[:16]

    def unpruned(self) -> Outcome:
        """How good the whole model is, after the same steps.

        Raises:
          DataError: if the data does not fit the loss, or the steps diverge.
        """
        return self._measured(self.model.variables, {})

    def pruned(self, plan: Plan, means: Optional[Means] = None) -> Outcome:
        """How good the soft-pruned model is.

        Args:
          plan: which channels go, in mode 'block'.
          means: layer -> `[channels]` means of what it reads, to be left behind; None:
            zeros.

        Raises:
          DataError: if the means do not fit, or the steps diverge.
          PlanError: if a cut does not fit the model.
        """
        pruned = self.pruned_model(plan, means).variables
        cuts = plan_lib.by_variable(plan.zeroed_cuts)
        shapes = self.model.variables.shapes
        free = {
            key: soft.with_zeros(np.ones(shapes[key], bool), found)
            for key, found in cuts.items()
        }
        return self._measured(pruned, free)

    def pruned_model(self, plan: Plan, means: Optional[Means] = None) -> Model:
        """The soft-pruned model; arguments and errors as those of `pruned`."""
        model = self.model
        if means is not None:
            model = soft_pruning.with_means(model, plan, means)
        return soft_pruning.with_zeros(model, plan)

    def thinned(self, kernels: Sequence[str], share: float) -> Outcome:
        """How good the model is without the smallest weights of each kernel.

        Args:
          kernels: checkpoint keys.
          share: of the weights of each kernel that becomes zero.
        """
        thin = self.thin(kernels, share)
        free = {key: array != 0 for key, array in thin.items()}
        return self._measured(Replaced(self.model.variables, thin), free)

    def thin(self, kernels: Sequence[str], share: float) -> Dict[str, np.ndarray]:
        """Checkpoint key -> kernel without its smallest weights."""
        variables = self.model.variables
        return {
            key: unstructured.with_smallest_zero(variables[key], share)
            for key in kernels
        }

    def plan(self, groups: Collection[Group], ratio: float, scorer: Scorer) -> Plan:
        """Plans the removal of a share of each group; a ratio of 0 removes nothing.

        Raises:
          OptionError: if a group lacks what the criterion looks at.
        """
        if ratio:
            choice = Choice(ratio=ratio)
            return planning.plan_by_scorer(self.model, groups, choice, scorer)
        return planning.plan_by_filters(
            self.model, {g.name: g for g in groups}, {}, 1, plan_lib.BLOCK
        )

    def kernels(self, groups: Collection[Group]) -> Sequence[str]:
        """Checkpoint keys of the kernels that make the channels of groups."""
        trace, known = self.model.trace, set(self.model.weight_keys)
        places = [p for group in groups for p in judging_places(group, trace)]
        return [v for v in dict.fromkeys(p.variable for p in places) if v in known]

    def _measured(self, variables: Arrays, free: Mapping[str, np.ndarray]) -> Outcome:
        """How good a model is, after the steps.

        Args:
          variables: checkpoint key -> array.
          free: checkpoint key -> where it is trained; others are trained everywhere.
        """
        found = weights.model_arrays(self._graph, variables)
        changed = {
            node: array
            for node, array in found.items()
            if not np.array_equal(array, self._arrays[node])
        }
        if self._clone is not None:
            masks = weights.model_arrays(self._graph, Replaced(variables, free))
            trained = {
                n: masks[n] for n, key in self._graph.keys().items() if key in free
            }
            changed.update(self._clone(self._evaluator.batches, changed, trained))
        return self._evaluator(changed)
