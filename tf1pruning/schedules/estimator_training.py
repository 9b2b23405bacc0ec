"""Rounds that an Estimator trains, one Estimator each."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import versions
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.models import reading
from tf1pruning.models.model import Model
from tf1pruning.models.reading import LoadOptions
from tf1pruning.plan import Plan
from tf1pruning.schedules import model_fn_graph
from tf1pruning.schedules.model_fn_graph import Built, InputFn
from tf1pruning.schedules.training import Training
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores
from tf1pruning.steps.data_scores import Subject
from tf1pruning.training.pruning_hook import HOLD, PruningHook
from tf1pruning.training.warm_start import GLOBAL_STEP, warm_start_settings


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """What the Estimators of all rounds have in common.

    Attributes:
      model_fn: as for an Estimator.
      input_fn: training data; takes no arguments.
      eval_input_fn: data to evaluate on, if there is an evaluation.
      params: of the Estimator.
      config: its `RunConfig`, without `model_dir`.
    """

    model_fn: Callable[..., Any]
    input_fn: InputFn
    eval_input_fn: Optional[InputFn] = None
    params: Optional[Mapping[str, Any]] = None
    config: Any = None

    def estimator(
        self, folder: Optional[str] = None, warm_start: Any = None
    ) -> tf.estimator.Estimator:
        """The Estimator of one round."""
        params = None if self.params is None else dict(self.params)
        return versions.estimator().Estimator(
            self.model_fn, folder, self.config, params, warm_start
        )


class EstimatorTraining(Training):
    """Trains a `model_fn`, which is built once to trace and score it.

    Args:
      recipe: of the Estimators.
      folder: where the first of them would train; None: of no concern.

    Raises:
      DataError: if the `input_fn` gives neither a dataset nor tensors.
      GraphError: if TensorFlow has no Estimator; says which version has it.
    """

    has_data = True

    def __init__(self, recipe: Recipe, folder: Optional[str] = None):
        self._recipe = recipe
        self.is_evaluated = recipe.eval_input_fn is not None
        self._built: Built = model_fn_graph.build(
            recipe.estimator(folder), recipe.input_fn
        )

    def model(self, checkpoint: str, output_nodes: str) -> Model:
        """The model of the `model_fn` in evaluation."""
        variables = Checkpoint(checkpoint)
        return reading.from_graph(
            self._built.meta_graph,
            reading.split_outputs(output_nodes),
            variables,
            variables.prefix,
            LoadOptions(traced_only=True),
        )

    def subject(self, model: Model, criteria: Sequence[str]) -> Subject:
        """The model with the loss of the `model_fn`."""
        # It is the user's own code, which the training runs as well.
        return data_scores.with_loss(model, self._built.loss, allow_unsafe=True)

    def batches(self, graph: InferenceGraph, count: int) -> Batches:
        """Batches of the `input_fn`."""
        return self._built.batches(self._recipe.input_fn, graph, count)

    def train(
        self, checkpoint: str, plan: Plan, steps: int, folder: str, goes_on: bool
    ) -> str:
        """Trains with a hook that keeps the zeros."""
        # The given checkpoint may be of another optimizer, or stripped of its slots.
        start = int(Checkpoint(checkpoint)[GLOBAL_STEP]) if goes_on else 0
        warm_start = warm_start_settings(checkpoint, goes_on, goes_on)
        estimator = self._recipe.estimator(folder, warm_start)
        hooks = [PruningHook(plan, HOLD)]
        estimator.train(self._recipe.input_fn, hooks, max_steps=start + steps)
        found: str = estimator.latest_checkpoint()
        return found

    def evaluate(
        self, checkpoint: str, folder: str, name: str = ''
    ) -> Dict[str, float]:
        """The metrics of the `model_fn` on the `eval_input_fn`."""
        found = self._recipe.estimator(folder).evaluate(
            self._recipe.eval_input_fn, checkpoint_path=checkpoint, name=name or None
        )
        return {key: float(value) for key, value in found.items()}
