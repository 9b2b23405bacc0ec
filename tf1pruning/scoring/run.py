"""Scores all groups by all asked criteria in one pass over the data.

Criteria of the Hessian (GraSP) need the mean gradient first: they take a second pass.
"""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.clock import Clock, Listener
from tf1pruning.criteria.registry import HESSIAN, DataCriterion
from tf1pruning.errors import DataError
from tf1pruning.scoring import running
from tf1pruning.scoring.average import Averages
from tf1pruning.scoring.batches import Batches
from tf1pruning.scoring.network import ConstantNetwork
from tf1pruning.scoring.result import Scores
from tf1pruning.scoring.runnable import Runnable
from tf1pruning.scoring.statistics import Key, Statistics
from tf1pruning.sessions import Session

SCORING = 'scoring, batch'


class Weights(NamedTuple):
    """The weights of a model: variable node -> array.

    Attributes:
      now: the weights.
      start: before training, for criteria that look at the distance; None: not known.
    """

    now: Mapping[str, np.ndarray]
    start: Optional[Mapping[str, np.ndarray]] = None


def score(
    trace: Trace,
    groups: Sequence[Group],
    runnable: Runnable,
    weights: Weights,
    batches: Batches,
    criteria: Sequence[DataCriterion],
    alpha: Optional[float] = None,
    progress: Optional[Listener] = None,
) -> Scores:
    """Scores groups by what they do on data.

    Args:
      trace: of the model.
      groups: of the model, those to score.
      runnable: its loss, or where no criterion needs one the model, with the same node
        names.
      weights: of both.
      batches: the data.
      criteria: what to score by.
      alpha: of an exponential average over the batches; None: the mean.
      progress: called after each batch.

    Raises:
      DataError: if there is no data, inputs are missing, or a value is not finite.
      GraphError: if no layer that runs reads a group, or no gradient flows to it.
      OptionError: if a criterion needs the initial weights, or alpha is out of range.
    """
    network = ConstantNetwork(runnable, weights.now)
    passes = 1 + any(c.derivative == HESSIAN for c in criteria)
    clock = Clock(progress, SCORING, batches.count and batches.count * passes)
    with network.graph.as_default():
        statistics = Statistics(network, trace, groups, criteria, weights.start)
    with Session(network.graph, runnable.limits, optimize=True) as session:
        run = _Pass(session, network, runnable, batches, alpha, clock)
        values, count = run(statistics.first, {})
        if statistics.second:
            later, _ = run(statistics.second, statistics.mean_gradients(values))
            values.update(later)
    return statistics.finished(values, count)


class _Pass(NamedTuple):
    """Runs tensors on all batches and averages them."""

    session: Session
    network: ConstantNetwork
    runnable: Runnable
    batches: Batches
    alpha: Optional[float]
    clock: Clock

    def __call__(
        self, fetches: Mapping[Key, tf.Tensor], feeds: Mapping[tf.Tensor, np.ndarray]
    ) -> Tuple[Dict[Key, np.ndarray], int]:
        """Returns the averages, and the number of batches."""
        averages: Averages[Key] = Averages(self.alpha)
        count = 0
        for batch in self.batches.start():
            inputs, size = running.feeds_of(self.runnable, batch)
            found = self.network.run(self.session, fetches, {**inputs, **feeds})
            count += 1
            _check_finite(found, count)
            averages.update(found, size)
            self.clock.tick()
        if not count:
            raise DataError('The data has no batch: nothing can be scored.')
        return averages.values, count


def _check_finite(found: Mapping[Key, np.ndarray], batch: int) -> None:
    bad = [key for key, array in found.items() if not np.all(np.isfinite(array))]
    if bad:
        owners = list(dict.fromkeys(str(key.owner) for key in bad))
        raise DataError(
            f'Batch {batch} gives NaN or infinite values at {names.quoted(owners)}. '
            'Check the data, the loss and the weights for overflow.'
        )
