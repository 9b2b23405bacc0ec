"""Writes zeros for the channels that go, and their means into what reads them."""

from __future__ import annotations

import os
from typing import Mapping

import numpy as np
from absl import logging

from tf1pruning import files, names
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory, Replaced
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.graph import signature
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.steps import protection
from tf1pruning.surgery import mean_replacement, soft, weights


def with_means(model: Model, plan: Plan, means: Mapping[str, np.ndarray]) -> Model:
    """Folds the means of the channels of a plan into the biases of what reads them.

    The result is not zeroed yet: `write_zeros` and `with_zeros` do that, and what they
    make is stripped exactly.

    Args:
      model: before anything is zeroed.
      plan: which channels go, in mode 'block'.
      means: layer -> `[channels]` mean of each channel that it reads; see
        `scoring.result.Scores`.

    Returns:
      The model. Behind layers that have no bias or batch norm of their own, which a
      warning names, a removed channel counts as zero.

    Raises:
      OptionError: if the plan is of another mode.
      DataError: if means are missing or do not fit.
      CheckpointError: if a weight is NaN or infinite.
    """
    arrays = model.arrays()
    found = mean_replacement.replace(model.trace, model.groups, arrays, plan, means)
    keys = {v.key for v in model.graph.variables if v.node in found.arrays}
    together = ArraysInMemory({**arrays, **found.arrays})
    whole = weights.CheckpointArrays(model.graph, together)
    changed = {key: whole[key] for key in keys}
    if found.without:
        layers = names.quoted(found.without)
        logging.warning('No bias takes the means behind %s: zeros there.', layers)
    return model.with_variables(Replaced(model.variables, changed))


def with_zeros(model: Model, plan: Plan) -> Model:
    """The model with zeros at the cuts of a plan.

    Raises:
      PlanError: if a cut does not fit the checkpoint.
    """
    return model.with_variables(
        soft.SoftPruned(model.variables, plan, model.weight_keys, model.divisors)
    )


def write_zeros(prefix: str, model: Model, plan: Plan) -> Model:
    """Writes a soft-pruned checkpoint with a meta graph.

    The meta graph is the one that the model was read from, since its shapes still fit;
    of a model that is no checkpoint it is the inference graph with its signature.

    Args:
      prefix: of the new checkpoint.
      model: what is pruned.
      plan: where the zeros go.

    Returns:
      The model, read from the new checkpoint.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      GraphError: if there is nothing to write, since all weights are constants.
      PlanError: if a cut does not fit the checkpoint.
    """
    if not model.variables:
        raise GraphError(
            f'{model.path!r} has no variables, so there is no checkpoint to write '
            'zeros into. Strip the model: that removes channels that are zero already.'
        )
    protection.check_target(prefix, [model.path])
    pruned = with_zeros(model, plan).variables
    writer.write_checkpoint(prefix, pruned, _meta_graph(model))
    checkpoint = Checkpoint(prefix)
    return model.at(prefix, checkpoint, checkpoint.meta_path)


def _meta_graph(model: Model) -> bytes:
    if model.meta_path is not None and os.path.exists(model.meta_path):
        try:
            return files.read_bytes(model.meta_path)
        except OSError as error:
            raise GraphError(
                f'Meta graph {model.meta_path!r} cannot be read: {files.reason(error)}.'
            ) from error
    graph = signature.meta_graph_of(model.graph, model.signatures)
    return graph.SerializeToString()
