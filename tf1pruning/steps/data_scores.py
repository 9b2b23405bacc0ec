"""Scores the groups of a model on data, with its loss or without."""

from __future__ import annotations

import dataclasses
from typing import Collection, Dict, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import names, sessions
from tf1pruning.algebra.elimination import Reader
from tf1pruning.channels.groups import Group
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.clock import Listener
from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import READERS, DataCriterion
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.graph import unsafe
from tf1pruning.graph import view as view_lib
from tf1pruning.models.model import Model
from tf1pruning.recovery import readers
from tf1pruning.scoring import loss_model as loss_model_lib
from tf1pruning.scoring import result, run
from tf1pruning.scoring import runnable as runnable_lib
from tf1pruning.scoring.batches import Batches, of_pipeline
from tf1pruning.scoring.loss_model import LossModel
from tf1pruning.scoring.result import Scores
from tf1pruning.scoring.runnable import Runnable
from tf1pruning.surgery import weights


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A model with what runs of it.

    Attributes:
      model: the model.
      runnable: its loss or its inference graph.
    """

    model: Model
    runnable: Runnable

    def pipeline(self, count: int) -> Batches:
        """Batches of the graph's own input pipeline, `count` at most.

        Raises:
          DataError: if what runs reads no pipeline.
          OptionError: if `count` is below 1.
        """
        runs = self.runnable
        return of_pipeline(
            self.model.meta_graph, runs.model, runs.pipeline, count, runs.limits
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Trained(Subject):
    """A model with its loss, which `with_loss` finds in its training graph."""

    runnable: LossModel


def subject_for(
    model: Model,
    criteria: Sequence[str],
    loss: str = '',
    temperature: float = 1.0,
    allow_unsafe: bool = False,
    timeout: Optional[float] = None,
) -> Subject:
    """What criteria need of a model: its inference graph, or its loss.

    Args:
      model: any; one with a loss if a criterion needs it.
      criteria: names of data-driven criteria.
      loss: name of the loss tensor, which is run if it is named; '': only if needed.
      temperature: see `with_loss`; only 1 needs no loss.
      allow_unsafe: see `with_loss`.
      timeout: see `with_loss`.

    Raises:
      OptionError: on an unknown criterion, or one that looks at weights alone; like
        `with_loss`.
      GraphError: like `with_loss`.
    """
    needing = [name for name in criteria if registry.find_data(name).derivative]
    if not (needing or loss or temperature != 1):
        return without_loss(model, allow_unsafe, timeout)
    try:
        return with_loss(model, loss, temperature, allow_unsafe, timeout)
    except (GraphError, OptionError) as error:
        if loss or not needing:
            raise
        raise type(error)(
            f'Criterion {needing[0]!r} needs a loss, unlike '
            f'{names.quoted(registry.known_without_loss())}. {error}',
            error.options,
        ) from error


def without_loss(
    model: Model, allow_unsafe: bool = False, timeout: Optional[float] = None
) -> Subject:
    """A model that runs as in inference; arguments as of `with_loss`."""
    limits = sessions.RunLimits(allow_unsafe, timeout)
    runnable = runnable_lib.of_network(model.meta_graph, model.graph, limits)
    return Subject(model, runnable)


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
            'the prefix of a checkpoint that has its meta graph.',
            options=('model',),
        )
    graph = model.meta_graph
    kept = model.graph.converted.kept
    found = loss_model_lib.loss_model(graph, loss, model.graph.outputs, kept)
    if not allow_unsafe:
        unsafe_nodes = unsafe.find_unsafe(
            view_lib.GraphView(graph.graph_def), [found.loss]
        )
        sessions.refuse(
            'The loss depends', unsafe_nodes, 'Name another loss', options=('loss',)
        )
    limits = sessions.RunLimits(allow_unsafe, timeout)
    found = dataclasses.replace(found, limits=limits)
    if temperature != 1:
        found = loss_model_lib.tempered(found, temperature)
    return Trained(model, found)


def score_groups(
    subject: Subject,
    groups: Collection[Group],
    batches: Batches,
    criteria: Sequence[str],
    initial: Optional[str] = None,
    alpha: Optional[float] = None,
    progress: Optional[Listener] = None,
    seed: int = 0,
) -> Scores:
    """Scores groups by what they do on data, by all criteria at once.

    Args:
      subject: the model and what of it runs, see `subject_for`.
      groups: to score.
      batches: the data.
      criteria: names of data-driven criteria.
      initial: prefix of the checkpoint before training, for criteria that look at it.
      alpha: of an exponential average over the batches; None: the mean.
      progress: called after each batch of each pass.
      seed: of the choice of pixels where there are many.

    Raises:
      OptionError: on an unknown criterion, or one that looks at weights alone, or one
        that needs the initial checkpoint and gets none; or if alpha is out of range.
      DataError: if the data does not fit the inputs, or values are not finite.
      GraphError: if no layer that runs reads a group, or no gradient flows to it.
      CheckpointError: if a checkpoint lacks variables or has NaN weights.
    """
    if not criteria:
        raise OptionError(
            f'No criterion is given; expected some of {registry.listed_data()}.',
            options=('criteria',),
        )
    model, graph = subject.model, subject.runnable.model
    wanted = [registry.find_data(name) for name in dict.fromkeys(criteria)]
    now = weights.model_arrays(graph, model.variables)
    start = None
    if initial is not None:
        start = weights.model_arrays(graph, Checkpoint(initial))
    found = run.score(
        model.trace,
        list(groups),
        subject.runnable,
        run.Weights(now, start),
        batches,
        [c for c in wanted if c.looks_at != READERS],
        alpha,
        progress,
    )
    by_readers = [c for c in wanted if c.looks_at == READERS]
    if by_readers:
        gathered = readers.readers_of(
            model.trace, list(groups), subject.runnable, now, batches, seed, progress
        )
        for criterion in by_readers:
            found.scores[criterion.name] = _of_readers(criterion, gathered)
    return dataclasses.replace(found, weights=digests(model))


def _of_readers(
    criterion: DataCriterion, gathered: Mapping[str, Sequence[Reader]]
) -> Dict[str, np.ndarray]:
    """Group -> `[1, width]` scores by a criterion that looks at readers."""
    return {
        name: criterion.finish(criterion.statistic(behind))[np.newaxis]
        for name, behind in gathered.items()
    }


def only_means(subject: Subject, batches: Batches) -> Mapping[str, np.ndarray]:
    """Layer -> `[channels]` means of what it reads, without any scores.

    Raises:
      DataError: if the data does not fit the inputs, or values are not finite.
      CheckpointError: if the checkpoint lacks variables or has NaN weights.
    """
    model, runnable = subject.model, subject.runnable
    now = weights.model_arrays(runnable.model, model.variables)
    found = run.score(model.trace, [], runnable, run.Weights(now), batches, [])
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
