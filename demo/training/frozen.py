"""Run frozen graphs: their answers on a data set and their latency."""

from __future__ import annotations

import time
from typing import Callable, Dict, Iterable, List, Mapping, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import importing, saved_model


class FrozenModel:
    """A frozen graph, loaded and ready to run. Close it, or use it in a `with`.

    Args:
      pb_path: file with a binary GraphDef.
      input_node: name of its placeholder.
      output_node: name of the node to read.

    Raises:
      GraphError: if the file cannot be read, TensorFlow refuses the graph, or it lacks
        one of the nodes.
    """

    def __init__(
        self,
        pb_path: str,
        input_node: str = 'input',
        output_node: str = 'output',
    ):
        graph = importing.import_graph(saved_model.read_frozen(pb_path).graph_def)
        try:
            self._input = graph.get_tensor_by_name(f'{input_node}:0')
            self._output = graph.get_tensor_by_name(f'{output_node}:0')
        except KeyError as error:
            raise GraphError(f'Frozen graph {pb_path!r}: {error.args[0]}') from error
        self._session = tf.Session(graph=graph)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Output for a batch `[n, ...]`."""
        return self._session.run(self._output, {self._input: inputs})

    def close(self) -> None:
        """Frees the session."""
        self._session.close()

    def __enter__(self) -> FrozenModel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def accuracies(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
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
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
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
