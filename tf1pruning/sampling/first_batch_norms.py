"""Whether samples look to a network like the data that it was trained on.

The first batch norms hold the mean and variance that reached them in the training. If
those of the samples are far from them, the samples were prepared in another way.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import sessions
from tf1pruning.graph import importing, nodes
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import channels_last, freeze, precision
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS, is_training
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.nodes import INPUT_OPS
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.names import TensorRef, op_types
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits, Session

_ADDS = op_types('Add AddV2')
_DEFAULT_EPSILON = 1e-4
_TINY = 1e-12


class BatchNorm(NamedTuple):
    """A batch norm, in the graph that is run.

    Attributes:
      node: its name, or that of the product in one that is not fused.
      x: what it reads.
      mean: its moving mean.
      variance: its moving variance.
      epsilon: that is added to the variance.
      means: the node that computes with the moving mean.
    """

    node: str
    x: TensorRef
    mean: TensorRef
    variance: TensorRef
    epsilon: float
    means: str


@dataclasses.dataclass(frozen=True)
class Distance:
    """How far what reaches a batch norm is from its moving statistics.

    Attributes:
      node: the batch norm.
      shift: RMS over the channels of (mean of the samples - moving mean), in moving
        deviations.
      scale: median over the channels of the deviation of the samples over the moving
        one.
      divergence: mean over the channels of the divergence of the normal distributions,
        in nats, each counted up to 10.
    """

    node: str
    shift: float
    scale: float
    divergence: float


def distances(
    graph: InferenceGraph,
    arrays: Mapping[str, np.ndarray],
    batches: Batches,
    limits: RunLimits = STRICT,
) -> Tuple[Distance, ...]:
    """The distances at the batch norms that no other stands before.

    Args:
      graph: of the network.
      arrays: variable node -> array.
      batches: of samples.
      limits: of the runs.

    Returns:
      One for each; empty if the network has no batch norm that normalizes by moving
      statistics.

    Raises:
      DataError: if the network does not run on the samples.
      GraphError: if it is not safe to run.
    """
    ends = first(graph.view())
    if not ends:
        return ()
    part = _part(graph, arrays, ends)
    found = first(view_lib.GraphView(part))
    refs = [str(ref) for each in found for ref in (each.x, each.mean, each.variance)]
    sessions.check(part, refs, limits)
    moments = [_Moments() for _ in found]
    with Session(importing.import_graph(part), limits) as session:
        for batch in batches.start():
            feeds, _ = running.feeds(graph, batch)
            values = running.run_on(session, refs, feeds)
            for number, each in enumerate(moments):
                each.add(*values[3 * number : 3 * number + 3])
    return tuple(m.distance(end.node, e) for m, end, e in zip(moments, ends, found))


def _part(
    graph: InferenceGraph, arrays: Mapping[str, np.ndarray], ends: Sequence[BatchNorm]
) -> tf.GraphDef:
    """The network up to batch norms, with its weights as constants."""
    names = [name for each in ends for name in (each.node, each.means)]
    needed = graph_lib.needed(graph.graph_def, names)
    frozen = freeze.freeze_part(graph, needed, names, arrays)
    return channels_last.channels_last(precision.widened(frozen))


def first(view: view_lib.GraphView) -> List[BatchNorm]:
    """The batch norms of an inference graph that no other stands before."""
    fixed = _fixed(view)
    products = _products(view, fixed)
    behind: Set[str] = set()
    found: List[BatchNorm] = []
    for node in view:
        refs = view.refs(node)
        own = _fused(node, refs, fixed) or products.get(node.name)
        if any(ref.node in behind for ref in refs):
            behind.add(node.name)
        elif own is not None and own.x.node not in fixed:
            behind.add(node.name)
            found.append(own)
    return found


def _fixed(view: view_lib.GraphView) -> Set[str]:
    """Names of the nodes that depend on weights alone."""
    found: Set[str] = set()
    for node in view:
        refs = view.refs(node)
        is_weight = node.op == 'Const' or node.op in VARIABLE_OPS
        is_computed = bool(refs) and node.op not in INPUT_OPS
        if is_weight or (is_computed and all(ref.node in found for ref in refs)):
            found.add(node.name)
    return found


def _fused(
    node: tf.NodeDef, refs: Sequence[TensorRef], fixed: Set[str]
) -> Optional[BatchNorm]:
    moving = {ref.node for ref in refs[3:5]}
    if node.op not in BATCH_NORM_OPS or is_training(node) or not moving <= fixed:
        return None
    epsilon = view_lib.attribute(node, 'epsilon').f or _DEFAULT_EPSILON
    return BatchNorm(node.name, refs[0], refs[3], refs[4], epsilon, node.name)


def _products(view: view_lib.GraphView, fixed: Set[str]) -> Dict[str, BatchNorm]:
    """The batch norms that are not fused, by their products.

    y = x * inv + (beta - mean * inv), with inv = gamma / sqrt(variance + epsilon).
    """
    found = {}
    for node in view:
        spread = _spread(view, node) if node.name in fixed else None
        if spread is None:
            continue
        for inv in (node, *_scaled(view, node, fixed)):
            factors = _factors(view, inv)
            means = [factor for factor in factors if factor[1].node in fixed]
            for product, x in factors:
                if x.node not in fixed and len(means) == 1:
                    [(by, mean)] = means
                    found[product] = BatchNorm(product, x, mean, *spread, by)
    return found


def _spread(
    view: view_lib.GraphView, node: tf.NodeDef
) -> Optional[Tuple[TensorRef, float]]:
    """Variance and epsilon of 1 / sqrt(variance + epsilon); None for other nodes."""
    if node.op != 'Rsqrt':
        return None
    total = view.inputs(node)[0]
    if total.op not in _ADDS:
        return None
    for variance, added in itertools.permutations(view.refs(total)):
        source = view.node(added.node)
        if source.op == 'Const' and view.shape(added) == ():
            return variance, float(nodes.constant_value(source))
    return None


def _scaled(
    view: view_lib.GraphView, node: tf.NodeDef, fixed: Set[str]
) -> List[tf.NodeDef]:
    """The products of a node with constants."""
    edges = view.consumers(node.name)
    return [e.node for e in edges if e.node.op == 'Mul' and e.node.name in fixed]


def _factors(view: view_lib.GraphView, inv: tf.NodeDef) -> List[Tuple[str, TensorRef]]:
    """The products of a node, and what each multiplies it with."""
    return [
        (edge.node.name, view.refs(edge.node)[1 - edge.position])
        for edge in view.consumers(inv.name)
        if edge.node.op == 'Mul'
    ]


class _Moments:
    """Adds up what reaches a batch norm, per channel."""

    def __init__(self) -> None:
        self._count = 0
        self._sum = np.zeros(())
        self._squares = np.zeros(())
        self._mean = np.zeros(())
        self._variance = np.zeros(())

    def add(self, x: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
        """Adds a batch, in units of the moving statistics."""
        self._mean, self._variance = mean, variance
        shape = (1,) * (x.ndim - mean.ndim) + mean.shape
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
        shifted = x.astype(np.float64) - mean
        self._count += x.size // max(mean.size, 1)
        self._sum = self._sum + shifted.sum(axis=axes).ravel()
        self._squares = self._squares + np.square(shifted).sum(axis=axes).ravel()

    def distance(self, name: str, batch_norm: BatchNorm) -> Distance:
        """How far what was added is from the moving statistics of a batch norm."""
        moving = np.maximum(self._variance.ravel() + batch_norm.epsilon, _TINY)
        shift = self._sum / self._count
        variance = self._squares / self._count - np.square(shift)
        variance = np.maximum(variance + batch_norm.epsilon, _TINY)
        ratio = variance / moving
        squared = np.square(shift) / moving
        divergence = np.minimum((ratio - np.log(ratio) - 1 + squared) / 2, 10)
        return Distance(
            name,
            float(np.sqrt(squared.mean())),
            float(np.sqrt(np.median(ratio))),
            float(divergence.mean()),
        )
