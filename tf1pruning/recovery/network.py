"""Runs a frozen network on batches of samples."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, NamedTuple, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.graph import draws, importing
from tf1pruning.graph.frozen import channels_last, precision
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits, Session


class Answered(NamedTuple):
    """A batch and what a network answers to it.

    Attributes:
      feeds: placeholder tensor -> array.
      answers: one per output.
    """

    feeds: Dict[str, np.ndarray]
    answers: Tuple[np.ndarray, ...]


class FrozenNetwork:
    """A frozen network in a session.

    Args:
      graph: of the network, for the names of inputs and outputs.
      frozen: the same with its weights as constants.
      limits: of each run.

    Raises:
      GraphError: if it is not safe to run.
    """

    def __init__(
        self, graph: InferenceGraph, frozen: tf.GraphDef, limits: RunLimits = STRICT
    ):
        sessions.check(frozen, graph.outputs, limits)
        self.graph = graph
        self._session = Session(importing.import_graph(runnable(frozen)), limits)
        self._fetches = [f'{names.node_name(name)}:0' for name in graph.outputs]

    def __enter__(self) -> FrozenNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def run(self, feeds: Mapping[str, np.ndarray]) -> List[np.ndarray]:
        """The outputs; errors like `running.run_on`."""
        found: List[np.ndarray] = running.run_on(self._session, self._fetches, feeds)
        return found

    def answered(self, batches: Batches) -> Iterator[Answered]:
        """Each batch with the answers to it.

        Raises:
          DataError: if a batch lacks an input or does not fit it.
          GraphError: if a run takes too long.
        """
        for batch in batches.start():
            feeds, _ = running.feeds(self.graph, batch)
            yield Answered(feeds, tuple(self.run(feeds)))


def runnable(frozen: tf.GraphDef) -> tf.GraphDef:
    """A frozen graph in the form that a CPU runs, with 32-bit floats."""
    return channels_last.channels_last(precision.widened(draws.seeded(frozen)))
