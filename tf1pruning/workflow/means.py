"""A model whose removed channels leave their means behind, on its way to zeros."""

from __future__ import annotations

import dataclasses
from typing import Mapping, Tuple

import numpy as np

from tf1pruning.ckpt.arrays import ArraysInMemory, Replaced
from tf1pruning.plan import Plan
from tf1pruning.surgery import mean_replacement, weights
from tf1pruning.workflow.loading import Source


def with_means(
    source: Source, plan: Plan, means: Mapping[str, np.ndarray]
) -> Tuple[Source, Tuple[str, ...]]:
    """Folds the means of the channels of a plan into the biases of what reads them.

    The result is not zeroed yet: `outputs.write_zeros` and `budgets.soft_pruned` do
    that, and what they make is stripped exactly.

    Args:
      source: the model, before anything is zeroed.
      plan: which channels go, in mode 'block'.
      means: layer -> `[channels]` mean of each channel that it reads; see
        `scoring.result.Scores`.

    Returns:
      The model, and the layers that have no bias or batch norm of their own: there a
      removed channel counts as zero.

    Raises:
      OptionError: if the plan is of another mode.
      DataError: if means are missing or do not fit.
      CheckpointError: if a weight is NaN or infinite.
    """
    arrays = source.arrays()
    found = mean_replacement.replace(source.trace, source.groups, arrays, plan, means)
    keys = {v.key for v in source.model.variables if v.node in found.arrays}
    together = ArraysInMemory({**arrays, **found.arrays})
    whole = weights.CheckpointArrays(source.model, together)
    changed = {key: whole[key] for key in keys}
    replaced = Replaced(source.variables, changed)
    return dataclasses.replace(source, variables=replaced), found.without
