"""How the rounds of a schedule train and evaluate."""

from __future__ import annotations

import abc
from typing import Dict, Sequence

from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps.data_scores import Subject


class Training(abc.ABC):
    """The model of a run, its data, its training and its evaluation.

    Attributes:
      has_data: whether there is data for criteria, means and repair.
      is_evaluated: whether there is an evaluation.
    """

    has_data: bool
    is_evaluated: bool

    @abc.abstractmethod
    def model(self, checkpoint: str, output_nodes: str) -> Model:
        """The model with the weights of a checkpoint, traced.

        Args:
          checkpoint: its prefix.
          output_nodes: separated by commas.

        Raises:
          CheckpointError: if it is missing, damaged, or of another model.
          GraphError: if the graph cannot be read.
        """

    @abc.abstractmethod
    def subject(self, model: Model, criteria: Sequence[str]) -> Subject:
        """What criteria run of the model; of no criteria, what means need.

        Raises:
          GraphError: if a criterion needs a loss and there is none.
        """

    @abc.abstractmethod
    def batches(self, graph: InferenceGraph, count: int) -> Batches:
        """The first `count` batches of the data, for what a graph reads of them."""

    @abc.abstractmethod
    def train(
        self, checkpoint: str, plan: Plan, steps: int, folder: str, goes_on: bool
    ) -> str:
        """Trains a soft-pruned checkpoint; goes on in a folder that has a newer one.

        Args:
          checkpoint: its prefix.
          plan: what is zero in it.
          steps: of the training.
          folder: of its files.
          goes_on: whether slots and global step are those of the checkpoint.

        Returns:
          Prefix of the trained checkpoint.
        """

    @abc.abstractmethod
    def evaluate(
        self, checkpoint: str, folder: str, name: str = ''
    ) -> Dict[str, float]:
        """The metrics of a checkpoint.

        Args:
          checkpoint: its prefix.
          folder: of its training.
          name: of the evaluation, where a folder has several.
        """
