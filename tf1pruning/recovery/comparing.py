"""Runs networks on samples and measures how far their answers are from a reference."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import List, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import DataError
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef
from tf1pruning.recovery.change import Change, ChangeMeter
from tf1pruning.recovery.network import FrozenNetwork
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits


@dataclasses.dataclass(frozen=True)
class Compared:
    """How a network answered samples.

    Attributes:
      change: from the reference.
      accuracy: share of the samples whose class has the largest element of the first
        output with several; None without labels.
    """

    change: Change
    accuracy: Optional[float] = None


def check_scale(graph: InferenceGraph) -> None:
    """Refuses a network none of whose outputs has a scale, before anything is run.

    Raises:
      DataError: names the numbers with fractions that the outputs are made of.
    """
    view = graph.view()
    if any(view.dtype(TensorRef(name, 0)).is_floating for name in graph.outputs):
        return
    moving = {edge.node.name for edge in view.edges_behind(graph.inputs)}
    before = (node for node in view.before(graph.outputs) if node.name in moving)
    floats = [n.name for n in before if view.dtype(TensorRef(n.name, 0)).is_floating]
    advice = f' Name {floats[0]!r} instead, which they are made of.' if floats else ''
    raise DataError(
        f'The outputs {names.quoted(list(graph.outputs))} are integers or text, so a '
        f'difference has no scale.{advice}',
        options=('output_nodes',),
    )


def check_varies(
    graph: InferenceGraph,
    reference: tf.GraphDef,
    batches: Batches,
    limits: RunLimits = STRICT,
) -> None:
    """Refuses outputs without a scale, and samples to all of which they are the same.

    Args:
      graph: of the network.
      reference: the frozen network.
      batches: samples.
      limits: of each run.

    Raises:
      DataError: like `check_scale`; if no output varies, or samples do not fit.
      GraphError: if the network is not safe to run, or runs too long.
    """
    check_scale(graph)
    meter = ChangeMeter(graph.outputs)
    with FrozenNetwork(graph, reference, limits) as network:
        for batch in batches.start():
            feeds, _ = running.feeds(graph, batch)
            answers = network.run(feeds)
            meter.update(answers, answers)
    meter.variances()


def changes(
    graph: InferenceGraph,
    reference: tf.GraphDef,
    others: Sequence[tf.GraphDef],
    batches: Batches,
    limits: RunLimits = STRICT,
    labels: Optional[np.ndarray] = None,
) -> List[Compared]:
    """How far networks are from a reference.

    Args:
      graph: of all of them, for the names of inputs and outputs.
      reference: a frozen network.
      others: frozen networks.
      batches: samples.
      limits: of each run.
      labels: class of each sample; None: not known.

    Returns:
      One for the reference itself, then one per other network.

    Raises:
      DataError: if there are no samples, they do not fit, or the outputs have no scale.
      GraphError: if a network is not safe to run, or runs too long.
    """
    everything = (reference, *others)
    meters = [ChangeMeter(graph.outputs) for _ in everything]
    right = np.zeros(len(everything))
    count = 0
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(FrozenNetwork(graph, frozen, limits))
            for frozen in everything
        ]
        for batch in batches.start():
            feeds, size = running.feeds(graph, batch)
            answers = [network.run(feeds) for network in runs]
            for meter, found in zip(meters, answers):
                meter.update(answers[0], found)
            if labels is not None:
                wanted = labels[count : count + size]
                right += [_right(found, wanted) for found in answers]
            count += size
    if not count:
        raise DataError('There are no samples to compare on.', options=('data',))
    accuracies = [None if labels is None else float(each) / count for each in right]
    return [
        Compared(meter.result(), accuracy)
        for meter, accuracy in zip(meters, accuracies)
    ]


def _right(answers: Sequence[np.ndarray], labels: np.ndarray) -> int:
    """How many samples have their largest element at their class.

    Raises:
      DataError: if no output has an element for each class.
    """
    for answer in answers:
        classes = answer.shape[-1] if answer.ndim > 1 else 1
        fits = answer.size == len(labels) * classes
        if answer.dtype.kind == 'f' and classes > 1 and fits:
            largest = answer.reshape(len(labels), classes).argmax(axis=1)
            return int((largest == labels).sum())
    raise DataError(
        'No output has an element for each class of a sample, so that labels say '
        'nothing of it. Leave the labels out.',
        options=('labels',),
    )
