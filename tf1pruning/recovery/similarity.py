"""Which layer of a new network answers otherwise: signal to noise, layer by layer."""

from __future__ import annotations

import math
from typing import Dict, List, Mapping, NamedTuple, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import layout
from tf1pruning.channels.trace_result import Trace
from tf1pruning.graph import importing
from tf1pruning.graph.frozen import channels_last
from tf1pruning.recovery.layers import Layer, layers_of
from tf1pruning.recovery.twins import Twins
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits, Session

# Of layers that make the same to the last bit.
MOST = 200.0


class _Sums(NamedTuple):
    """Sums over the rows of a layer in one batch, as tensors or numbers.

    Attributes:
      rows: how many.
      total: `[channels]` of what it made in the unpruned network.
      squares: of the same, of all channels.
      noise: squared differences of the two networks.
    """

    rows: object
    total: object
    squares: object
    noise: object


def decibels(share: float) -> float:
    """Signal to noise of an error as a share of the signal; at most 200 dB.

    >>> decibels(0.01), decibels(0)
    (20.0, 200.0)
    """
    return min(-10 * math.log10(share), MOST) if share > 0 else MOST


def similarities(
    trace: Trace,
    frozen: tf.GraphDef,
    weights: Mapping[str, np.ndarray],
    gone: np.ndarray,
    batches: Batches,
    limits: RunLimits = STRICT,
) -> Dict[str, float]:
    """How near each layer of a network is to the same layer of the unpruned one.

    Args:
      trace: of the network.
      frozen: the unpruned network, as it is run.
      weights: weight node -> array in the other network, of those that differ.
      gone: `[channels]` whether each channel of the trace is gone in it.
      batches: samples.
      limits: of each run.

    Returns:
      Layer -> signal to noise in dB, of the layers that a difference reaches; of the
      channels that they have left, before bias and batch norm.

    Raises:
      DataError: if the samples do not fit.
      GraphError: if the network runs too long.
    """
    twins = Twins(frozen, weights)
    layers = [
        layer
        for name, layer in layers_of(trace, gone).items()
        if twins.is_changed(name) and name not in twins.inside
    ]
    if not layers:
        return {}
    wanted = [ref for layer in layers for ref in (layer.y, twins.twin(layer.y))]
    part, _ = twins.part(wanted, ())
    graph = importing.import_graph(channels_last.channels_last(part))
    with graph.as_default():
        fetches = [_sums(graph, layer, str(twins.twin(layer.y))) for layer in layers]
    present = {operation.name for operation in graph.get_operations()}
    found: List[List[np.ndarray]] = []
    with Session(graph, limits) as session:
        for batch in batches.start():
            feeds, _ = running.feeds(trace.model, batch)
            known = {n: a for n, a in feeds.items() if n.split(':')[0] in present}
            found.append(running.run_on(session, fetches, known))
    return {
        layer.kernel.node: _signal_to_noise([batch[number] for batch in found])
        for number, layer in enumerate(layers)
    }


def _sums(graph: tf.Graph, layer: Layer, twin: str) -> _Sums:
    """Sums over what both networks make of a layer, as tensors."""
    rows = [
        _rows(graph.get_tensor_by_name(name), layer) for name in (str(layer.y), twin)
    ]
    return _Sums(
        tf.shape(rows[0])[0],
        tf.reduce_sum(rows[0], 0),
        tf.reduce_sum(tf.square(rows[0])),
        tf.reduce_sum(tf.square(rows[0] - rows[1])),
    )


def _rows(made: tf.Tensor, layer: Layer) -> tf.Tensor:
    """`[rows, channels]` of the channels that stay, in 64 bits."""
    rank = made.shape.ndims
    axis = layout.channel_axis(layer.node, rank) if layer.has_pixels else rank - 1
    order = [a for a in range(rank) if a != axis] + [axis]
    last = tf.cast(tf.transpose(made, order), tf.float64)
    kept = np.zeros(layer.made, bool)
    kept[layer.kept_out] = True
    # A depthwise layer makes several channels of each.
    flat = tf.reshape(last, [-1, tf.shape(last)[-1]])
    repeats = tf.shape(flat)[-1] // layer.made
    mask = tf.reshape(tf.tile(kept[:, np.newaxis], [1, repeats]), [-1])
    return tf.boolean_mask(flat, mask, axis=1)


def _signal_to_noise(batches: Sequence[_Sums]) -> float:
    count, total, squares, noise = (sum(parts) for parts in zip(*batches))
    power = squares - np.square(total).sum() / count
    return decibels(float(noise / power)) if power > 0 else MOST
