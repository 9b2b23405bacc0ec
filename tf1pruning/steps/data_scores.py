"""Scores the groups of a model by its loss on data."""

from __future__ import annotations

import dataclasses
from typing import Collection, Dict, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import sessions
from tf1pruning.channels.groups import Group
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.graph import unsafe
from tf1pruning.models.model import Model
from tf1pruning.scoring import loss_model as loss_model_lib
from tf1pruning.scoring import result, run
from tf1pruning.scoring.batches import Batches, of_pipeline
from tf1pruning.scoring.loss_model import LossModel
from tf1pruning.scoring.result import Scores
from tf1pruning.surgery import weights


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A model with its loss, which `with_loss` finds in its training graph.

    Attributes:
      model: the model.
      loss_model: its loss, as in inference.
    """

    model: Model
    loss_model: LossModel

    def pipeline(self, count: int) -> Batches:
        """Batches of the training graph's own input pipeline, `count` at most.

        Raises:
          DataError: if the loss reads no pipeline.
          OptionError: if `count` is below 1.
        """
        loss = self.loss_model
        return of_pipeline(
            self.model.meta_graph, loss.model, loss.pipeline, count, loss.limits
        )


def with_loss(
    model: Model,
    loss: str = '',
    temperature: float = 1.0,
    allow_unsafe: bool = False,
    timeout: Optional[float] = None,
) -> Trained:
    """Finds the loss of a model.

    Args:
      model: a checkpoint of a training.
      loss: name of the loss tensor; '': the only one in the collection of losses.
      temperature: the logits of its softmax are divided by it.
      allow_unsafe: whether the loss and the pipeline may run ops that are not known to
        be pure.
      timeout: seconds that a run may take; None: ten minutes, or 20 seconds if the
        graph has a loop.

    Raises:
      GraphError: if there is no such loss, it cannot be computed as in inference, or
        the graph is not safe to run.
      OptionError: if the model is no checkpoint, or the temperature is not above 0.
    """
    if model.meta_path is None:
        raise OptionError(
            f'{model.path!r} is no checkpoint of a training, so it has no loss. Give '
            'the prefix of a checkpoint that has its meta graph.'
        )
    graph = model.meta_graph
    kept = model.graph.converted.kept
    found = loss_model_lib.loss_model(graph, loss, model.graph.outputs, kept)
    if not allow_unsafe:
        unsafe_nodes = unsafe.find_unsafe(graph.graph_def, [found.loss])
        sessions.refuse(
            'The loss depends', unsafe_nodes, 'Name another loss', options=('loss',)
        )
    limits = sessions.RunLimits(allow_unsafe, timeout)
    found = dataclasses.replace(found, limits=limits)
    if temperature != 1:
        found = loss_model_lib.tempered(found, temperature)
    return Trained(model, found)


def score_groups(
    trained: Trained,
    groups: Collection[Group],
    batches: Batches,
    criteria: Sequence[str],
    initial: Optional[str] = None,
    alpha: Optional[float] = None,
    progress: Optional[run.Progress] = None,
) -> Scores:
    """Scores groups by what they do on data, by all criteria at once.

    Args:
      trained: the model and its loss.
      groups: to score.
      batches: the data.
      criteria: names of data-driven criteria.
      initial: prefix of the checkpoint before training, for criteria that look at it.
      alpha: of an exponential average over the batches; None: the mean.
      progress: called after each batch with their number, the number in all, and the
        seconds left.

    Raises:
      OptionError: on an unknown criterion, or one that looks at weights alone, or one
        that needs the initial checkpoint and gets none; or if alpha is out of range.
      DataError: if the data does not fit the loss, or values are not finite.
      GraphError: if the loss does not depend on a group.
      CheckpointError: if a checkpoint lacks variables or has NaN weights.
    """
    if not criteria:
        raise OptionError(
            f'No criterion is given; expected some of {registry.listed_data()}.'
        )
    model, graph = trained.model, trained.loss_model.model
    wanted = [registry.find_data(name) for name in dict.fromkeys(criteria)]
    now = weights.model_arrays(graph, model.variables)
    start = None
    if initial is not None:
        start = weights.model_arrays(graph, Checkpoint(initial))
    found = run.score(
        model.trace,
        list(groups),
        trained.loss_model,
        run.Weights(now, start),
        batches,
        wanted,
        alpha,
        progress,
    )
    return dataclasses.replace(found, weights=digests(model))


def only_means(trained: Trained, batches: Batches) -> Mapping[str, np.ndarray]:
    """Layer -> `[channels]` means of what it reads, without any scores.

    Raises:
      DataError: if the data does not fit the loss, or values are not finite.
      CheckpointError: if the checkpoint lacks variables or has NaN weights.
    """
    model, loss_model = trained.model, trained.loss_model
    now = weights.model_arrays(loss_model.model, model.variables)
    found = run.score(model.trace, [], loss_model, run.Weights(now), batches, [])
    return found.means


def digests(model: Model) -> Dict[str, str]:
    """Checkpoint key -> digest of each weight of a model.

    Raises:
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    return result.digests(model.keyed_arrays(), model.trace.keys().values())


def means(model: Model, scores: Scores) -> Mapping[str, np.ndarray]:
    """The means that were found on a model.

    Raises:
      DataError: if they are of other weights.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    scores.check(digests(model))
    return scores.means
