"""What a user should know of a model that was read: what changed, what looks wrong."""

from __future__ import annotations

from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.errors import CheckpointError
from tf1pruning.graph import draws, nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import updates
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.notes import Note

_MEAN, _VARIANCE = 3, 4
_LISTED = 3


def notes_on(
    graph: InferenceGraph, view: view_lib.GraphView, variables: Arrays
) -> Tuple[Note, ...]:
    """What a user should know of a model.

    Args:
      graph: its inference graph.
      view: of what that was made of.
      variables: checkpoint key -> array; only moving statistics are read.
    """
    return (
        *_converted(graph),
        *_random(graph),
        *_never_run(graph, view),
        *_untouched(graph, variables),
    )


def _converted(graph: InferenceGraph) -> Iterator[Note]:
    found = graph.converted
    if found.statistics:
        yield Note(
            f'Batch norm: {len(found.statistics)} statistics of the batch became '
            f'moving ones ({_few(found.statistics)}).',
            ('batch_norm',),
        )
    if found.dropouts:
        yield Note(
            f'Dropout: {len(found.dropouts)} went ({_few(found.dropouts)}).',
            ('keep_dropout',),
        )
    flags = [str(flag) for flag in graph.flags if flag.is_training]
    if flags:
        yield Note(
            f'Flags: {len(flags)} decided ({", ".join(flags)}).', ('keep_flags',)
        )


def _random(graph: InferenceGraph) -> Iterator[Note]:
    found = draws.random_nodes(graph.graph_def)
    if found:
        yield Note(
            f'Random: {len(found)} ops draw numbers ({_few(found)}) and stay. '
            'Networks are compared on the same draws.'
        )


def _never_run(graph: InferenceGraph, view: view_lib.GraphView) -> Iterator[Note]:
    statistics = graph.converted.statistics
    if not statistics:
        return
    found = updates.never_run(view, statistics)
    if found:
        yield Note(
            f'Warning: nothing in the graph runs the updates {_few(found)} of '
            'moving statistics. Unless the training ran them by name, these are not '
            'those of the data, and the network means those of the batch: keep them.',
            ('batch_norm',),
        )


def _untouched(graph: InferenceGraph, variables: Arrays) -> Iterator[Note]:
    """Batch norms whose moving statistics are those of an initialization."""
    found, keys = [], graph.keys()
    for node in graph.graph_def.node:
        if node.op in BATCH_NORM_OPS and not node.attr['is_training'].b:
            mean, variance = (
                _value(graph.view(), node, position, keys, variables)
                for position in (_MEAN, _VARIANCE)
            )
            if _is_all(mean, 0) and _is_all(variance, 1):
                found.append(node.name)
    found += _untouched_variables(graph, variables)
    if found:
        yield Note(
            f'Warning: the moving statistics of {_few(found)} are still 0 and '
            '1. No training updated them: run the update ops (tf.GraphKeys.UPDATE_OPS) '
            'with the training, or keep the statistics of the batch.',
            ('batch_norm',),
        )


def _untouched_variables(graph: InferenceGraph, variables: Arrays) -> List[str]:
    """Averages that batch norm reads that is not fused, if they are 0 and 1."""
    view, keys = graph.view(), graph.keys()
    fused = {
        view.behind_reads(source).name
        for node in graph.graph_def.node
        if node.op in BATCH_NORM_OPS
        for source in view.inputs(node)[_MEAN:]
    }
    found = [name for name in graph.converted.statistics if name not in fused]
    values = {name: _array(variables, keys.get(name)) for name in found}
    zeros = [name for name in found if _is_all(values[name], 0)]
    ones = [name for name in found if _is_all(values[name], 1)]
    return [*zeros, *ones] if zeros and ones else []


def _value(
    view: view_lib.GraphView,
    node: tf.NodeDef,
    position: int,
    keys: Mapping[str, str],
    variables: Arrays,
) -> Optional[np.ndarray]:
    source = view.behind_reads(view.inputs(node)[position])
    if source.op == 'Const':
        return nodes.constant_value(source)
    return _array(variables, keys.get(source.name))


def _array(variables: Arrays, key: Optional[str]) -> Optional[np.ndarray]:
    """A variable; None if it cannot be read, which whoever needs it will say."""
    try:
        return None if key is None else variables.get(key)
    except CheckpointError:
        return None


def _is_all(array: Optional[np.ndarray], value: float) -> bool:
    return array is not None and array.size > 0 and bool(np.all(array == value))


def _few(found: Sequence[str]) -> str:
    return names.quoted(found, _LISTED)
