"""Writes zeros for the channels that go, and their means into what reads them."""

from __future__ import annotations

import dataclasses
import os
from typing import Mapping, Sequence

import numpy as np
from absl import logging

from tf1pruning import files, names
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.meta_graphs import signature
from tf1pruning.models.model import Model
from tf1pruning.models.new_weights import with_new_weights
from tf1pruning.plan import Plan
from tf1pruning.steps import protection
from tf1pruning.surgery import mean_replacement, soft


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
    constants = ArraysInMemory(model.constants())
    arrays = constants if model.is_frozen else model.arrays()
    found = mean_replacement.replace(model.trace, model.groups, arrays, plan, means)
    _warn(found.without)
    return with_new_weights(model, found.arrays)


def _warn(without: Sequence[str]) -> None:
    if without:
        layers = names.quoted(without)
        logging.warning('No bias takes the means behind %s: zeros there.', layers)


def with_zeros(model: Model, plan: Plan) -> Model:
    """The model with zeros at the cuts of a plan.

    Raises:
      PlanError: if a cut does not fit the checkpoint.
    """
    if model.is_frozen:
        constants = ArraysInMemory(model.constants())
        return model.with_constants(soft.SoftPruned(constants, plan, list(constants)))
    return model.with_variables(
        soft.SoftPruned(model.variables, plan, model.weight_keys, model.divisors)
    )


def write_zeros(prefix: str, model: Model, plan: Plan) -> Model:
    """Writes a soft-pruned checkpoint with a meta graph, or a frozen graph.

    The meta graph is the one that the model was read from, since its shapes still fit;
    of a model that is no checkpoint it is the inference graph with its signature. A
    frozen graph stays one, with zeros in its constants.

    Args:
      prefix: of the new checkpoint; of a frozen graph its path, see `frozen_path`.
      model: what is pruned.
      plan: where the zeros go.

    Returns:
      The model, read from the new checkpoint.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      PlanError: if a cut does not fit the checkpoint.
    """
    if model.is_frozen:
        return _write_frozen(frozen_path(prefix), with_zeros(model, plan))
    protection.check_target(prefix, [model.path])
    pruned = with_zeros(model, plan).variables
    writer.write_checkpoint(prefix, pruned, _meta_graph(model))
    checkpoint = Checkpoint(prefix)
    return model.at(prefix, checkpoint, checkpoint.meta_path)


def frozen_path(path: str) -> str:
    """The path of a frozen graph, which ends in `.pb`.

    >>> frozen_path('pruned/model'), frozen_path('pruned/model.pb')
    ('pruned/model.pb', 'pruned/model.pb')
    """
    return path if path.endswith('.pb') else f'{path}.pb'


def _write_frozen(path: str, model: Model) -> Model:
    """Writes a model as it was read; with functions inlined, where it had some."""
    protection.check_target(path, [model.path])
    graph_def = model.meta_graph.graph_def
    names_there = {node.name for node in graph_def.node}
    if not names_there.issuperset(model.trace.stored):
        graph_def = model.graph.graph_def
    freeze.write_frozen(path, graph_def)
    return dataclasses.replace(model, path=path)


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
