"""Runs networks on samples and measures how far their answers are from a reference."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.errors import DataError, first_line
from tf1pruning.graph import draws, importing
from tf1pruning.graph.frozen import channels_last, precision
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.recovery.change import Change, ChangeMeter
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits, Session


def changes(
    graph: InferenceGraph,
    reference: tf.GraphDef,
    others: Sequence[tf.GraphDef],
    batches: Batches,
    limits: RunLimits = STRICT,
) -> List[Change]:
    """How far networks are from a reference.

    Args:
      graph: of all of them, for the names of inputs and outputs.
      reference: a frozen network.
      others: frozen networks.
      batches: samples.
      limits: of each run.

    Raises:
      DataError: if there are no samples, they do not fit, or the outputs have no scale.
      GraphError: if a network is not safe to run, or runs too long.
    """
    meters = [ChangeMeter(graph.outputs) for _ in others]
    count = 0
    with contextlib.ExitStack() as stack:
        runs = [
            _Network(stack, frozen, graph.outputs, limits)
            for frozen in (reference, *others)
        ]
        for batch in batches.start():
            feeds, size = batches_lib.feeds(graph, batch)
            count += size
            first, *rest = (network.run(feeds) for network in runs)
            for meter, found in zip(meters, rest):
                meter.update(first, found)
    if not count:
        raise DataError('There are no samples to compare on.', options=('data',))
    return [meter.result() for meter in meters]


class _Network:
    """A frozen network in a session."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        frozen: tf.GraphDef,
        outputs: Sequence[str],
        limits: RunLimits,
    ):
        sessions.check(frozen, outputs, limits)
        wide = precision.widened(draws.seeded(frozen))
        imported = importing.import_graph(channels_last.channels_last(wide))
        self._session = stack.enter_context(Session(imported, limits))
        self._fetches = [f'{names.node_name(name)}:0' for name in outputs]

    def run(self, feeds: Dict[str, np.ndarray]) -> List[np.ndarray]:
        try:
            found: Any = self._session.run(self._fetches, feeds)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise DataError(
                f'The network does not run on the samples: {first_line(error)}.',
                options=('data',),
            ) from error
        return list(found)
