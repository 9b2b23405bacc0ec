"""Chooses and zeroes the channels of each round in the newest checkpoint."""

from __future__ import annotations

from typing import Optional

from absl import logging

from tf1pruning.choosing.choice import Choice
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.report.cost import Cost
from tf1pruning.schedules import growth
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.training import Training
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import (
    budgets,
    data_scores,
    planning,
    repairing,
    sampling,
    soft_pruning,
)
from tf1pruning.steps.ranking import Ranking, ranking_by
from tf1pruning.steps.selection import select_groups
from tf1pruning.surgery import failure


class Chooser:
    """Chooses channels of a model, which is traced once.

    Args:
      training: of the model.
      checkpoint: prefix of the checkpoint before the first round.
      options: how channels are chosen.

    Raises:
      CheckpointError: if the checkpoint is missing, damaged, or of another model.
      GraphError: if a scope holds nothing that may be cut.
    """

    def __init__(
        self,
        training: Training,
        checkpoint: str,
        options: Options,
    ):
        self._options = options
        self._training = training
        self._model = training.model(checkpoint, options.output_nodes)
        found = select_groups(self._model, options.scope_names, options.groups)
        self._groups = list(found.groups.values())

    def check(self, choice: Choice) -> None:
        """Makes a choice in the first checkpoint, to see whether it can be made.

        Raises:
          OptionError: if it names scopes without groups, or does not go with the
            criterion.
          PlanError: if its limits do not let so much go.
          CheckpointError: if a weight is NaN or infinite.
        """
        ranking = self._options.ranking()
        ranking.check(choice)
        if ranking.needs_data:
            ranking = ranking_by()  # Which channels go makes no difference here.
        scorer = ranking.scorer(self._model)
        planning.plan_by_scorer(self._model, self._groups, choice, scorer)

    def choose(self, checkpoint: str, choice: Choice, before: Optional[Plan]) -> Plan:
        """Plans a round.

        Args:
          checkpoint: prefix of the newest one.
          choice: what is gone after the round.
          before: what went in the rounds before it.

        Raises:
          OptionError: if the choice does not fit the groups or the criterion.
          PlanError: if its limits do not let so much go.
          DataError: if scores are not finite, or the data does not fit the model.
          CheckpointError: if the checkpoint is damaged or has NaN weights.
        """
        model, mode = self._at(checkpoint), self._options.mode
        scorer = growth.gone_first(self._ranking(model).scorer(model), before)
        plan = planning.plan_by_scorer(model, self._groups, choice, scorer, mode)
        return growth.at_least(plan, before)

    def cost(self, plan: Plan) -> Cost:
        """What the model costs once it is stripped."""
        return budgets.planned_costs(self._model, plan)[1]

    def write(self, prefix: str, checkpoint: str, plan: Plan) -> None:
        """Writes a soft-pruned checkpoint.

        Raises:
          OutputError: if it cannot be written.
          CheckpointError: if the source is damaged.
          DataError: if means or a repair are asked for, and the data does not fit the
            model or is too little.
        """
        model = self._at(checkpoint)
        if self._options.mean_replacement:
            subject = self._training.subject(model, ())
            batches = self._batches(subject.runnable.model)
            means = data_scores.only_means(subject, batches)
            model = soft_pruning.with_means(model, plan, means)
        if self._options.repair:
            model = self._repaired(model, plan)
        soft_pruning.write_zeros(prefix, model, plan)

    def holds(self, checkpoint: str, plan: Plan) -> bool:
        """Whether all that a plan zeroes is zero in a checkpoint.

        Raises:
          CheckpointError: if it is missing or damaged.
          PlanError: if it is of another model.
        """
        return failure.count_failures(Checkpoint(checkpoint), plan).total.rate == 0

    def write_zeros(self, prefix: str, checkpoint: str, plan: Plan) -> None:
        """Writes a checkpoint with the zeros of a plan.

        Raises:
          OutputError: if it cannot be written.
          CheckpointError: if the source is damaged.
        """
        soft_pruning.write_zeros(prefix, self._at(checkpoint), plan)

    def _repaired(self, model: Model, plan: Plan) -> Model:
        batches = self._batches(model.graph)
        # It is the user's own code, which the training runs as well.
        limits = RunLimits(allow_unsafe=True)
        parts = sampling.of_model(model, batches, limits=limits).split()
        fit, choose = parts.fit.batches, parts.choose.batches
        found = repairing.repair_model(model, plan, fit, choose, limits=limits)
        logging.info('%s', found.summary)
        return found.model

    def _at(self, checkpoint: str) -> Model:
        """The model with the weights of another checkpoint."""
        variables = Checkpoint(checkpoint)
        return self._model.at(variables.prefix, variables, variables.meta_path)

    def _ranking(self, model: Model) -> Ranking:
        options, ranking = self._options, self._options.ranking()
        if not ranking.needs_data:
            return ranking
        criteria = [options.criterion]
        subject = self._training.subject(model, criteria)
        batches = self._batches(subject.runnable.model)
        scores = data_scores.score_groups(
            subject, self._groups, batches, criteria, options.initial
        )
        return ranking.with_scores(scores)

    def _batches(self, graph: InferenceGraph) -> Batches:
        return self._training.batches(graph, self._options.batches)
