"""Runs a graph on data of a user: what a session is fed with, and what it says."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import DataError, first_line
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.scoring.batches import Batch
from tf1pruning.scoring.runnable import Runnable
from tf1pruning.sessions import Session


def feeds(
    graph: InferenceGraph,
    batch: Batch,
    pipeline: Mapping[str, str] = MappingProxyType({}),
    what: str = 'The network',
) -> Tuple[Dict[str, np.ndarray], int]:
    """What a session is fed with to run a graph on a batch.

    Args:
      graph: of a network or a loss.
      batch: input, or what it replaces -> array.
      pipeline: placeholder -> tensor of the input pipeline that it replaces.
      what: the graph is, for messages.

    Returns:
      Placeholder tensor -> array, and the number of examples.

    Raises:
      DataError: if the batch lacks an input, or has one that the graph does not.
    """
    found: Dict[str, np.ndarray] = {}
    unknown: List[str] = []
    for key, array in batch.items():
        name = _meant(key, pipeline)
        if name in graph.inputs:
            found[name] = np.asarray(array)
        else:
            unknown.append(key)
    missing = [
        name
        for name in graph.inputs
        if name not in found and graph.view().node(name).op == 'Placeholder'
    ]
    if missing:
        also = ''.join(f', {n!r} is {t!r}' for n, t in pipeline.items())
        raise DataError(
            f'{what} needs the inputs {names.quoted(missing)}, which the data lacks; '
            f'it has {names.quoted(list(batch))}{also}.{_pairs(unknown, missing)}',
            options=('inputs',),
        )
    if unknown:
        raise DataError(
            f'The data has {names.quoted(unknown)}, which is no input of '
            f'{what[0].lower()}{what[1:]}; its inputs are {names.quoted(graph.inputs)}.'
        )
    size = next((len(a) for a in found.values() if a.ndim), 1)
    return {f'{name}:0': array for name, array in found.items()}, size


def feeds_of(runnable: Runnable, batch: Batch) -> Tuple[Dict[str, np.ndarray], int]:
    """Like `feeds`; where a network has all its inputs, it needs none of the rest.

    What a loss would read besides, such as labels, is left out then.
    """
    graph, pipeline = runnable.model, runnable.pipeline
    if not runnable.loss:
        own = {k: a for k, a in batch.items() if _meant(k, pipeline) in graph.inputs}
        if len(own) == len(graph.inputs):
            batch = own
    return feeds(graph, batch, pipeline, runnable.what)


def _meant(key: str, pipeline: Mapping[str, str]) -> str:
    """The placeholder that a name in a batch means, if it is one."""
    aliases = {tensor: name for name, tensor in pipeline.items()}
    return aliases.get(key) or aliases.get(f'{key}:0') or names.node_name(key)


def _pairs(arrays: Sequence[str], inputs: Sequence[str]) -> str:
    """A guess which array is for which input; '' where the numbers differ."""
    if len(arrays) != len(inputs):
        return ''
    pairs = ','.join(f'{array}={name}' for array, name in zip(arrays, inputs))
    return f' Name the arrays after their inputs; is it {pairs}?'


def run_on(
    session: Session,
    fetches: Any,
    feeds: Mapping[Any, Any],
    what: str = 'The network',
    data: str = 'the samples',
) -> Any:
    """Like `Session.run`; what TensorFlow says against the data becomes one sentence.

    Args:
      session: of the network.
      fetches: as of `Session.run`.
      feeds: as of `Session.run`.
      what: runs, for the message.
      data: that it runs on, for the message.

    Raises:
      DataError: if the data does not fit what runs.
      GraphError: if it takes too long.
    """
    try:
        return session.run(fetches, feeds)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise DataError(
            f'{what} does not run on {data}: {first_line(error)}.', options=('data',)
        ) from error
