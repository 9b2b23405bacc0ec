"""Runs networks on samples and measures how far their answers are from a reference."""

from __future__ import annotations

import contextlib
from typing import List, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.recovery.change import Change, ChangeMeter
from tf1pruning.recovery.network import Network
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits


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
            stack.enter_context(Network(graph, frozen, limits))
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
