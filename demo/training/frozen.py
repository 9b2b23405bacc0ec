"""Runs frozen graphs: measures their accuracy and their latency."""

from __future__ import annotations

import time
from typing import Callable, Dict, Iterable, List, Mapping, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import importing
from tf1pruning.graph.meta_graphs import saved_model

Model = Callable[[np.ndarray], np.ndarray]


def load(pb_path: str) -> Model:
    """A frozen graph that runs, from its node `input` to `output`.

    Its session lives as long as the function that is returned.

    Raises:
      GraphError: if the file cannot be read, TensorFlow refuses the graph, or it lacks
        one of the nodes.
    """
    graph = importing.import_graph(saved_model.read_frozen(pb_path).graph_def)
    try:
        source, output = (
            graph.get_tensor_by_name(f'{node}:0') for node in ('input', 'output')
        )
    except KeyError as error:
        raise GraphError(f'Frozen graph {pb_path!r}: {error.args[0]}') from error
    session = tf.Session(graph=graph)
    return lambda inputs: session.run(output, {source: inputs})


def accuracies(
    models: Mapping[str, Model],
    batches: Iterable[Tuple[np.ndarray, np.ndarray]],
) -> Dict[str, float]:
    """Share of the images whose largest logit is their label's, for each model.

    Args:
      models: name -> images `[n, ...]` to logits `[n, classes]`.
      batches: images and labels `[n]`; at least one image.
    """
    right = dict.fromkeys(models, 0)
    count = 0
    for images, labels in batches:
        count += len(labels)
        for name, model in models.items():
            right[name] += int(np.sum(model(images).argmax(axis=1) == labels))
    return {name: found / count for name, found in right.items()}


def median_latencies(
    models: Mapping[str, Model],
    inputs: np.ndarray,
    runs: int = 50,
    warm_up: int = 10,
    clock: Callable[[], float] = time.perf_counter,
) -> Dict[str, float]:
    """Median time of one call of each model, in milliseconds.

    The models take turns, one call each, so that a slow moment of the machine hits all
    of them alike.
    """
    seconds: Dict[str, List[float]] = {name: [] for name in models}
    for turn in range(warm_up + runs):
        for name, model in models.items():
            started = clock()
            model(inputs)
            if turn >= warm_up:
                seconds[name].append(clock() - started)
    return {name: 1000 * float(np.median(times)) for name, times in seconds.items()}
