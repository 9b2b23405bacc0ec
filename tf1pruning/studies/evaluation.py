"""Evaluates a model on data with any weights, in one running session.

The weights are fed: the graph is built once.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batch, Batches
from tf1pruning.scoring.loss_model import CROSS_ENTROPIES, LossModel
from tf1pruning.scoring.network import ConstantNetwork
from tf1pruning.sessions import Session


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How good a model is.

    Attributes:
      loss: mean over the examples.
      accuracy: share of the examples whose largest logit is that of the label; None if
        the loss has no softmax cross entropy, or several.
    """

    loss: float
    accuracy: Optional[float]


class Evaluator:
    """A model that runs on the same data again and again.

    Args:
      loss_model: its loss.
      arrays: variable node -> array.
      batches: the data; kept in memory, so that all points see the same.

    Raises:
      DataError: if there is none.
    """

    def __init__(
        self, loss_model: LossModel, arrays: Mapping[str, np.ndarray], batches: Batches
    ):
        self._loss_model = loss_model
        self._batches: List[Batch] = list(batches.start())
        if not self._batches:
            raise DataError('The data has no batch: nothing can be evaluated.')
        self._network = ConstantNetwork(loss_model, arrays)
        graph, limits = self._network.graph, loss_model.limits
        self._session = Session(graph, limits, optimize=True)
        with self._network.graph.as_default():
            self._fetches = {'loss': self._network.loss, **self._hits()}

    @property
    def batches(self) -> List[Batch]:
        """The data."""
        return list(self._batches)

    def __call__(self, changed: Mapping[str, np.ndarray]) -> Outcome:
        """Loss and accuracy with other weights.

        Args:
          changed: variable node -> array; all other weights are as they were.

        Raises:
          DataError: if the data does not fit the loss.
        """
        tensors = ((self._network.variable(n), array) for n, array in changed.items())
        weights = {tensor: array for tensor, array in tensors if tensor is not None}
        total = 0
        sums = dict.fromkeys(self._fetches, 0.0)
        for batch in self._batches:
            inputs, size = running.feeds_of(self._loss_model, batch)
            found = self._network.run(
                self._session, self._fetches, {**inputs, **weights}
            )
            total += size
            for key, value in found.items():
                sums[key] += float(value) * size
        accuracy = sums['hits'] / total if 'hits' in sums else None
        return Outcome(sums['loss'] / total, accuracy)

    def _hits(self) -> Dict[str, tf.Tensor]:
        """The share of right answers, if the loss says what they are."""
        operations = self._network.graph.get_operations()
        found = [op for op in operations if op.type in CROSS_ENTROPIES]
        if len(found) != 1:
            return {}
        logits, labels = found[0].inputs
        if found[0].type == 'SoftmaxCrossEntropyWithLogits':
            labels = tf.argmax(labels, axis=-1)
        answers = tf.argmax(logits, axis=-1, output_type=labels.dtype)
        return {'hits': tf.reduce_mean(tf.cast(tf.equal(answers, labels), tf.float32))}
