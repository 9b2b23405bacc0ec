"""Rounds that a plain function trains, with any kind of training."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import files
from tf1pruning.errors import CheckpointError, DataError
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.models import reading
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.schedules.model_fn_graph import InputFn
from tf1pruning.schedules.training import Training
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores
from tf1pruning.steps.data_scores import Subject

# (checkpoint, steps, folder) -> prefix of the trained checkpoint, or None for the
# newest one in the folder.
TrainFn = Callable[[str, int, str], Optional[files.Path]]
# Checkpoint -> metrics.
EvalFn = Callable[[str], Mapping[str, Any]]


class FunctionTraining(Training):
    """Trains by a function; the model is the one of the checkpoint's meta graph.

    Args:
      train_fn: trains.
      eval_fn: evaluates; None: nothing is evaluated.
      input_fn: gives an iterable of batches, input name -> array, for what looks at
        data; None: there is none.
    """

    def __init__(
        self, train_fn: TrainFn, eval_fn: Optional[EvalFn], input_fn: Optional[InputFn]
    ):
        self._train_fn, self._eval_fn, self._input_fn = train_fn, eval_fn, input_fn
        self.has_data = input_fn is not None
        self.is_evaluated = eval_fn is not None

    def model(self, checkpoint: str, output_nodes: str) -> Model:
        """The model of a checkpoint and the meta graph beside it."""
        return reading.load(checkpoint, reading.split_outputs(output_nodes))

    def subject(self, model: Model, criteria: Sequence[str]) -> Subject:
        """The model, or the loss in the collection of its meta graph."""
        return data_scores.subject_for(model, criteria)

    def batches(self, graph: InferenceGraph, count: int) -> Batches:
        """Batches of the `input_fn`."""
        assert self._input_fn is not None, 'it was asked for before'
        return Batches.of_input_fn(self._input_fn, graph.inputs, count)

    def train(
        self, checkpoint: str, plan: Plan, steps: int, folder: str, goes_on: bool
    ) -> str:
        """Calls the function.

        Raises:
          CheckpointError: if it leaves no checkpoint.
        """
        os.makedirs(folder, exist_ok=True)
        found = self._train_fn(checkpoint, steps, folder)
        prefix = os.fspath(found) if found else tf.train.latest_checkpoint(folder)
        if prefix is None:
            raise CheckpointError(
                f'train_fn left no checkpoint in {folder!r}. Save one there with '
                'tf.train.Saver, or return its prefix.'
            )
        return str(prefix)

    def evaluate(
        self, checkpoint: str, folder: str, name: str = ''
    ) -> Dict[str, float]:
        """Calls the function.

        Raises:
          DataError: if a metric is no number.
        """
        assert self._eval_fn is not None, 'it was asked for before'
        found = self._eval_fn(checkpoint)
        try:
            return {str(key): float(value) for key, value in dict(found).items()}
        except (TypeError, ValueError) as error:
            raise DataError(
                f'eval_fn gives {found!r}; expected numbers by their names.'
            ) from error
