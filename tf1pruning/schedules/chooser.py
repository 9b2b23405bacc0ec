"""Chooses the channels of each round in the newest checkpoint."""

from __future__ import annotations

import dataclasses
from typing import List, Optional

import tensorflow.compat.v1 as tf
from absl import logging

from tf1pruning.channels.groups import Group
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Scorer
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.plan import Plan
from tf1pruning.report.cost import Cost
from tf1pruning.schedules import built as built_lib
from tf1pruning.schedules import growth
from tf1pruning.schedules.built import InputFn
from tf1pruning.schedules.options import Options
from tf1pruning.scoring.batches import Batches
from tf1pruning.workflow import (
    any_scorer,
    budgets,
    data_scores,
    loading,
    means,
    outputs,
    planning,
    scoped,
)
from tf1pruning.workflow.data_scores import Trained
from tf1pruning.workflow.loading import Source


class Chooser:
    """The channels of a `model_fn`; it is built and traced once.

    Args:
      estimator: of the model.
      input_fn: data that data-driven criteria look at.
      checkpoint: prefix of the checkpoint before the first round.
      options: how channels are chosen.

    Raises:
      CheckpointError: if the checkpoint is missing, damaged, or of another model.
      GraphError: if a scope holds nothing that may be cut.
      DataError: if the `input_fn` gives neither a dataset nor tensors.
    """

    def __init__(
        self,
        estimator: tf.estimator.Estimator,
        input_fn: InputFn,
        checkpoint: str,
        options: Options,
    ):
        self._options = options
        self._input_fn = input_fn
        self._built = built_lib.build(estimator, input_fn)
        self._source = loading.planning_source(
            self._built.meta_graph,
            loading.split_outputs(options.output_nodes),
            Checkpoint(checkpoint),
        )
        found = scoped.choose(self._source, options.scope_names, options.groups)
        self._groups: List[Group] = list(found.groups.values())

    def check(self, choice: Choice) -> None:
        """Makes a choice in the first checkpoint, to see whether it can be made.

        Raises:
          OptionError: if it names scopes without groups, or does not go with the
            criterion.
          PlanError: if its limits do not let as much go as it asks for.
          CheckpointError: if a weight is NaN or infinite.
        """
        name = 'l1' if self._options.on_data else self._options.criterion
        seed = self._options.seed
        scorer = any_scorer.scorer(
            self._source, name, combination=self._options.combination, seed=seed
        )
        self._plan(self._source, choice, scorer)

    def choose(self, checkpoint: str, choice: Choice, before: Optional[Plan]) -> Plan:
        """Plans a round.

        Args:
          checkpoint: prefix of the newest one.
          choice: what is gone after the round.
          before: what went in the rounds before it.

        Raises:
          OptionError: if the choice does not fit the groups or the criterion.
          PlanError: if its limits do not let as much go as it asks for.
          DataError: if scores are not finite, or the data does not fit the model.
          CheckpointError: if the checkpoint is damaged or has NaN weights.
        """
        source = self._at(checkpoint)
        scorer = growth.gone_first(self._scorer(source), before)
        return growth.at_least(self._plan(source, choice, scorer), before)

    def cost(self, plan: Plan) -> Cost:
        """What the model costs once it is stripped."""
        return budgets.planned_costs(self._source, plan)[1]

    def write(self, prefix: str, checkpoint: str, plan: Plan) -> None:
        """Writes a soft-pruned checkpoint.

        Raises:
          OutputError: if it cannot be written.
          CheckpointError: if the source is damaged.
          DataError: if means are asked for and the data does not fit the model.
        """
        source = self._at(checkpoint)
        if self._options.mean_replacement:
            source = self._with_means(source, plan)
        outputs.write_zeros(prefix, source, plan, checkpoint + '.meta')

    def _with_means(self, source: Source, plan: Plan) -> Source:
        model = self._trained(source)
        known = data_scores.only_means(model, self._batches(model))
        found, without = means.with_means(source, plan, known)
        if without:
            logging.warning('No bias for means behind %s: zeros there.', without)
        return found

    def _at(self, checkpoint: str) -> Source:
        """The model with the weights of another checkpoint."""
        variables = Checkpoint(checkpoint)
        return dataclasses.replace(
            self._source, variables=variables, path=variables.prefix
        )

    def _plan(self, source: Source, choice: Choice, scorer: Scorer) -> Plan:
        self._options.check(choice)
        mode = self._options.mode
        return planning.plan_by_choice(source, self._groups, choice, scorer, mode)

    def _scorer(self, source: Source) -> Scorer:
        options, scores = self._options, None
        if options.on_data:
            model = self._trained(source)
            data, wanted = self._batches(model), [options.criterion]
            scores = data_scores.score(
                model, self._groups, data, wanted, options.initial
            )
        return any_scorer.scorer(
            source, options.criterion, scores, options.combination, options.seed
        )

    def _trained(self, source: Source) -> Trained:
        return data_scores.trained(
            source,
            self._built.meta_graph,
            self._built.loss,
            # It is the user's own code, which the training runs as well.
            allow_unsafe=True,
        )

    def _batches(self, model: Trained) -> Batches:
        return self._built.batches(
            self._input_fn, model.loss_model, self._options.batches
        )
