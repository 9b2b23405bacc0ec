"""What pruning would cost, measured without training: points of curves.

A `Probe` is a model on its data. Each point is one run over the data with other
weights, fed into the same session.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Collection, Dict, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Scorer, judging_places
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory, Replaced
from tf1pruning.plan import Plan
from tf1pruning.scoring.batches import Batches
from tf1pruning.scoring.evaluation import Evaluator, Outcome
from tf1pruning.surgery import unstructured, weights
from tf1pruning.workflow import budgets, planning
from tf1pruning.workflow import means as mean_replacing
from tf1pruning.workflow.data_scores import Trained
from tf1pruning.workflow.loading import Source

Means = Mapping[str, np.ndarray]


class Probe:
    """A model on its data, with its weights in memory.

    Args:
      model: the model and its loss.
      batches: the data; kept in memory.

    Raises:
      DataError: if there is none.
      CheckpointError: if variables are missing, damaged or not finite.
    """

    def __init__(self, model: Trained, batches: Batches):
        source = model.source
        keys = source.weight_keys
        kept = ArraysInMemory({key: source.variables[key] for key in keys})
        self.source = dataclasses.replace(source, variables=kept)
        self._model = model.loss_model.model
        arrays = weights.model_arrays(self._model, model.source.variables)
        self._arrays = dict(arrays)
        self._evaluator = Evaluator(model.loss_model, arrays, batches)

    @property
    def fingerprint(self) -> str:
        """A digest of weights and data: equal ones give equal points."""
        digest = hashlib.sha256()
        for batch in [self._arrays, *self._evaluator.batches]:
            for name in sorted(batch):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(batch[name]).tobytes())
        return digest.hexdigest()[:16]

    def close(self) -> None:
        """Ends the session."""
        self._evaluator.close()

    def unpruned(self) -> Outcome:
        """How good the model is as it stands."""
        return self._evaluator({})

    def pruned(self, plan: Plan, means: Optional[Means] = None) -> Outcome:
        """How good the soft-pruned model is.

        Args:
          plan: which channels go, in mode 'block'.
          means: layer -> `[channels]` means of what it reads, to be left behind; None:
            zeros.

        Raises:
          DataError: if the means do not fit.
          PlanError: if a cut does not fit the model.
        """
        return self._measured(self.pruned_source(plan, means).variables)

    def pruned_source(self, plan: Plan, means: Optional[Means] = None) -> Source:
        """The soft-pruned model; arguments and errors as those of `pruned`."""
        source = self.source
        if means is not None:
            source, _ = mean_replacing.with_means(source, plan, means)
        return budgets.soft_pruned(source, plan)

    def thinned(self, kernels: Sequence[str], share: float) -> Outcome:
        """How good the model is without the smallest weights of each kernel.

        Args:
          kernels: checkpoint keys.
          share: of the weights of each kernel that becomes zero.
        """
        return self._measured(
            Replaced(self.source.variables, self.thin(kernels, share))
        )

    def thin(self, kernels: Sequence[str], share: float) -> Dict[str, np.ndarray]:
        """Checkpoint key -> kernel without its smallest weights."""
        variables = self.source.variables
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
            return planning.plan_by_choice(
                self.source, groups, choice, scorer, plan_lib.BLOCK
            )
        return planning.plan_by_filters(
            self.source, {g.name: g for g in groups}, {}, 1, plan_lib.BLOCK
        )

    def kernels(self, groups: Collection[Group]) -> Sequence[str]:
        """Checkpoint keys of the kernels that make the channels of groups."""
        trace, known = self.source.trace, set(self.source.weight_keys)
        places = [p for group in groups for p in judging_places(group, trace)]
        return [v for v in dict.fromkeys(p.variable for p in places) if v in known]

    def _measured(self, variables: Arrays) -> Outcome:
        found = weights.model_arrays(self._model, variables)
        return self._evaluator(
            {
                node: array
                for node, array in found.items()
                if not np.array_equal(array, self._arrays[node])
            }
        )
