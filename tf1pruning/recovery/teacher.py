"""The network that another one learns from: what it answers to batches."""

from __future__ import annotations

from typing import Dict, Iterator, NamedTuple, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import sessions
from tf1pruning.errors import DataError, first_line
from tf1pruning.graph import draws, importing
from tf1pruning.graph.frozen import channels_last, precision
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits, Session


class Answered(NamedTuple):
    """A batch and what the teacher answers to it.

    Attributes:
      feeds: placeholder tensor -> array.
      answers: one per output.
    """

    feeds: Dict[str, np.ndarray]
    answers: Tuple[np.ndarray, ...]


class Teacher:
    """Runs a network on batches.

    Args:
      graph: of the network.
      frozen: the same with its weights.
      limits: of each run.

    Raises:
      GraphError: if it is not safe to run.
    """

    def __init__(
        self, graph: InferenceGraph, frozen: tf.GraphDef, limits: RunLimits = STRICT
    ):
        self.outputs = graph.outputs
        self._graph = graph
        sessions.check(frozen, graph.outputs, limits)
        imported = importing.import_graph(runnable(frozen))
        self._session = Session(imported, limits, optimize=True)

    def __enter__(self) -> Teacher:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def answered(self, batches: Batches) -> Iterator[Answered]:
        """Each batch with the answers to it.

        Raises:
          DataError: if a batch lacks an input or does not fit it.
          GraphError: if a run takes too long.
        """
        outputs = [f'{name}:0' for name in self.outputs]
        for batch in batches.start():
            feeds, _ = batches_lib.feeds(self._graph, batch)
            yield Answered(feeds, tuple(run_on(self._session, outputs, feeds)))


def runnable(frozen: tf.GraphDef) -> tf.GraphDef:
    """A frozen graph in the form that a CPU runs, with 32-bit floats."""
    return channels_last.channels_last(precision.widened(draws.seeded(frozen)))


def run_on(session: Session, fetches: object, feeds: Dict[str, np.ndarray]) -> list:
    """Like `Session.run`.

    Raises:
      DataError: with TensorFlow's message, if what is fed does not fit the network.
    """
    try:
        return session.run(fetches, feeds)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise DataError(
            f'The network does not run on the data: {first_line(error)}.'
        ) from error
