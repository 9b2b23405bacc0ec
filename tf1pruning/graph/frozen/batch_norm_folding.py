"""Folds the batch norm of a frozen graph into the layer before it.

With s = gamma / sqrt(variance + epsilon), batch norm is y = s * x + (beta - mean * s).
A layer is linear in its kernel, so the kernel takes up s and a bias the rest. The bias
stands where the batch norm stood, under its name.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import precision
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS

# Layer -> rank of its output.
_LAYERS = {'Conv2D': 4, 'Conv3D': 5, 'DepthwiseConv2dNative': 4, 'MatMul': 2}
# Axis of the channels, counted from the end.
_CHANNEL_AXES = {b'NCHW': -3, b'NCDHW': -4}
_SHIFTS = ('Add', 'AddV2', 'Sub')
_ADDS = ('BiasAdd', *_SHIFTS)
# They only move what a layer gives; its channels stay in place.
_PASSING = ('BatchToSpaceND', 'Identity')
_DEFAULT_EPSILON = 1e-4


@dataclasses.dataclass(frozen=True)
class Kept:
    """A batch norm that stays.

    Attributes:
      node: its name.
      reason: why.
    """

    node: str
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Folded:
    """A graph without the batch norms that a layer could take up.

    Attributes:
      graph_def: the graph.
      nodes: names of the batch norms that are gone.
      kept: those that stay.
    """

    graph_def: tf.GraphDef
    nodes: Tuple[str, ...]
    kept: Tuple[Kept, ...]


class _Affine(NamedTuple):
    """y = scale * x + offset, per channel, as some nodes compute it.

    Attributes:
      node: the last of them.
      source: tensor x.
      axis: of the channels, counted from the end.
      rank: the least rank that x must have.
      scale: `[channels]`.
      offset: `[channels]`.
    """

    node: str
    source: names.TensorRef
    axis: int
    rank: int
    scale: np.ndarray
    offset: np.ndarray


class _Vector(NamedTuple):
    """A constant that a node of two inputs takes besides a tensor.

    Attributes:
      tensor: the other input.
      axis: where the constant changes, counted from the end.
      rank: of the constant.
      values: `[channels]`.
    """

    tensor: names.TensorRef
    axis: int
    rank: int
    values: np.ndarray


class _Layer(NamedTuple):
    """A layer in front of a batch norm.

    Attributes:
      node: the layer.
      bias: `[channels]` what is added to its output.
      last: tensor that the batch norm is to read, without the bias.
    """

    node: tf.NodeDef
    bias: np.ndarray
    last: str


class _Impossible(Exception):
    """A batch norm cannot be folded, with the reason."""


def fold_batch_norms(graph_def: tf.GraphDef, outputs: Sequence[str]) -> Folded:
    """Folds every batch norm that the layer before it can take up.

    Args:
      graph_def: frozen graph with its constants evaluated (see `constant_folding`), so
        that a batch norm that is not fused is one Mul and one Add; not changed.
      outputs: names of the nodes that matter; they stay.
    """
    view = view_lib.GraphView(graph_def)
    taken = {node.name for node in view}
    done: List[str] = []
    kept: List[Kept] = []
    changed: Dict[str, List[tf.NodeDef]] = {}
    for node in view:
        try:
            affine = _affine(view, node, outputs)
            if affine is not None:
                layer = _layer_before(view, affine, outputs)
                changed.update(_rewritten(view, affine, layer, taken))
                done.append(node.name)
        except _Impossible as error:
            kept.append(Kept(node.name, str(error)))
    result = nodes.with_nodes(
        graph_def, (new for node in view for new in changed.get(node.name, [node]))
    )
    return Folded(graph_lib.needed(result, outputs), tuple(done), tuple(kept))


def _affine(
    view: view_lib.GraphView, node: tf.NodeDef, outputs: Sequence[str]
) -> Optional[_Affine]:
    """The batch norm that a node ends; None if it ends none."""
    if node.op in BATCH_NORM_OPS:
        return _fused(view, node)
    return _unfused(view, node, outputs) if node.op in _SHIFTS else None


def _fused(view: view_lib.GraphView, node: tf.NodeDef) -> _Affine:
    if view_lib.attribute(node, 'is_training').b:
        raise _Impossible('it uses the statistics of the batch')
    if any(edge.output for edge in view.consumers(node.name)):
        raise _Impossible('its statistics are read, too')
    refs = view_lib.data_inputs(node)
    vectors = [_constant(view, ref) for ref in refs[1:5]]
    if any(vector is None for vector in vectors):
        raise _Impossible('its scale, offset or statistics are not constant')
    gamma, beta, mean, variance = (np.asarray(v, np.float64) for v in vectors)
    has_epsilon = 'epsilon' in node.attr
    epsilon = node.attr['epsilon'].f if has_epsilon else _DEFAULT_EPSILON
    scale = gamma / np.sqrt(variance + epsilon)
    return _Affine(
        node.name, refs[0], _channel_axis(node), 4, scale, beta - mean * scale
    )


def _channel_axis(node: tf.NodeDef) -> int:
    return _CHANNEL_AXES.get(view_lib.attribute(node, 'data_format').s, -1)


def _unfused(
    view: view_lib.GraphView, node: tf.NodeDef, outputs: Sequence[str]
) -> Optional[_Affine]:
    """`Add(Mul(x, vector), vector)`, or with a Sub; None for anything else."""
    shifted = _with_vector(view, node)
    if shifted is None:
        return None
    scaled = view.node(shifted.tensor.node)
    factors = _with_vector(view, scaled) if scaled.op == 'Mul' else None
    if factors is None or factors.axis != shifted.axis:
        return None
    if len(view.consumers(scaled.name)) != 1 or scaled.name in outputs:
        raise _Impossible(f'its product {scaled.name!r} is read by something else, too')
    sign = -1 if node.op == 'Sub' else 1
    return _Affine(
        node.name,
        factors.tensor,
        factors.axis,
        max(factors.rank, shifted.rank),
        factors.values,
        sign * shifted.values,
    )


def _with_vector(view: view_lib.GraphView, node: tf.NodeDef) -> Optional[_Vector]:
    """The constant that a node of two inputs takes, if it changes along one axis."""
    first, second = view_lib.data_inputs(node)
    orders = (
        [(first, second)] if node.op == 'Sub' else [(first, second), (second, first)]
    )
    for tensor, other in orders:
        value = _constant(view, other)
        if value is not None and _constant(view, tensor) is None:
            long = [axis for axis, size in enumerate(value.shape) if size > 1]
            if len(long) == 1:
                is_bias = node.op == 'BiasAdd'
                axis = _channel_axis(node) if is_bias else long[0] - value.ndim
                values = np.ravel(value).astype(np.float64)
                return _Vector(tensor, axis, value.ndim, values)
    return None


def _constant(view: view_lib.GraphView, ref: names.TensorRef) -> Optional[np.ndarray]:
    node = view.node(ref.node)
    is_known = node.op == 'Const' and nodes.is_exact(node)
    return nodes.constant_value(node) if is_known else None


def _layer_before(
    view: view_lib.GraphView, affine: _Affine, outputs: Sequence[str]
) -> _Layer:
    """The layer that a batch norm reads, through a bias and through plain moves.

    Raises:
      _Impossible: if there is none, or something else needs what it gives.
    """
    bias = np.zeros(len(affine.scale))
    ref, last = affine.source, affine.source
    while True:
        node = view.node(ref.node)
        if len(view.consumers(node.name)) != 1 or node.name in outputs:
            raise _Impossible(
                f'{node.op} {node.name!r} before it is read by something else, too'
            )
        if node.op in _LAYERS:
            if affine.axis != _channel_axis(node) or affine.rank > _LAYERS[node.op]:
                raise _Impossible(
                    f'it works on another axis than {node.op} {node.name!r}'
                )
            return _Layer(node, bias, last.as_input)
        if node.op in _PASSING:
            ref = view_lib.data_inputs(node)[0]
        elif node.op in _ADDS and last == ref:
            shifted = _with_vector(view, node)
            if shifted is None or shifted.axis != affine.axis:
                raise _Impossible(f'{node.op} {node.name!r} before it adds no bias')
            bias = -shifted.values if node.op == 'Sub' else shifted.values
            ref = last = shifted.tensor
        else:
            raise _Impossible(f'it reads {node.op} {node.name!r}, which is no layer')


def _rewritten(
    view: view_lib.GraphView, affine: _Affine, layer: _Layer, taken: Set[str]
) -> Dict[str, List[tf.NodeDef]]:
    """Node -> what stands in its place, in order."""
    node = layer.node
    if precision.is_half(tf.as_dtype(node.attr['T'].type)):
        raise _Impossible(f'{node.op} {node.name!r} has 16-bit floats, which round')
    kernel = _constant(view, view_lib.data_inputs(node)[1])
    if kernel is None:
        raise _Impossible(f'the kernel of {node.op} {node.name!r} is not constant')
    scale = _along_outputs(node, kernel, affine.scale)
    scaled = (kernel * scale).astype(kernel.dtype)
    kernel_node = nodes.array_constant(
        names.claim(f'{node.name}/folded', taken), scaled
    )
    new = nodes.copied(node)
    new.input[1] = kernel_node.name
    offset = (layer.bias * affine.scale + affine.offset).astype(kernel.dtype)
    return {
        node.name: [kernel_node, new],
        affine.node: _bias(taken, affine.node, layer, offset),
    }


def _along_outputs(
    node: tf.NodeDef, kernel: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """The scales in a shape that multiplies a kernel along its outputs."""
    if node.op == 'DepthwiseConv2dNative':
        shape: Tuple[int, ...] = kernel.shape[2:]
    elif node.op == 'MatMul' and view_lib.attribute(node, 'transpose_b').b:
        shape = (kernel.shape[0], 1)
    else:
        shape = (kernel.shape[-1],)
    if np.prod(shape, dtype=int) != len(scale):
        raise _Impossible(
            f'it has {len(scale)} channels and {node.op} {node.name!r} has '
            f'{np.prod(shape, dtype=int)}'
        )
    return scale.reshape(shape)


def _bias(
    taken: Set[str], name: str, layer: _Layer, offset: np.ndarray
) -> List[tf.NodeDef]:
    """A bias under the name of the batch norm."""
    data_format = view_lib.attribute(layer.node, 'data_format').s
    op = 'BiasAdd'
    if data_format == b'NCDHW':
        # BiasAdd takes images only.
        op, offset = 'AddV2', offset.reshape([-1, 1, 1, 1])
    free = names.claim(f'{name}/offset', taken)
    vector = nodes.array_constant(free, offset)
    node = nodes.make_node(name, op, [layer.last, vector.name])
    node.attr['T'].CopyFrom(layer.node.attr['T'])
    if op == 'BiasAdd':
        node.attr['data_format'].s = b'NCHW' if data_format == b'NCHW' else b'NHWC'
    return [vector, node]
