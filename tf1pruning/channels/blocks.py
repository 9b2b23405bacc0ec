"""Recognizes blocks by data flow, not by name or position.

- *Inverted residual* (Sandler et al., 1801.04381): 1x1 expansion, depthwise
  convolution, 1x1 projection without an activation (the linear bottleneck). A
  squeeze-and-excite gate on the expanded channels may hang on it.
- *Squeeze-and-excite* (Hu et al., 1709.01507): global pooling, a reducing layer, an
  expanding layer, and a product with the tensor that was pooled.
- *Residual*: several layers make the same channels, since adds tie them.
- *Concat*: a layer that reads the channels reads other channels beside them.
- *Dense*: made by a dense layer. *Plain*: anything else.
"""

from __future__ import annotations

from typing import List, Optional, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.channels.trace_result import Kernel, Trace
from tf1pruning.graph import view as view_lib
from tf1pruning.graph import walk
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS
from tf1pruning.names import op_types

INVERTED_RESIDUAL = 'inverted_residual'
SQUEEZE_EXCITE = 'squeeze_excite'
DENSE = 'dense'
RESIDUAL = 'residual'
CONCAT = 'concat'
PLAIN = 'plain'
INNER_KINDS = frozenset((INVERTED_RESIDUAL, SQUEEZE_EXCITE))

_HAND_ON = frozenset(('Identity', 'Reshape', 'Squeeze', 'ExpandDims', 'StopGradient'))
_AFFINE = frozenset(('BiasAdd', 'Identity', *BATCH_NORM_OPS))
_GATE_PATH = (
    _HAND_ON
    | _AFFINE
    | op_types('Add AddV2 Div Maximum Minimum RealDiv Relu Relu6 Sigmoid Sub Tanh')
)
_ACTIVATIONS = op_types(
    'Elu LeakyRelu Maximum Minimum Mul Neg Relu Relu6 Selu Sigmoid Softplus '
    'Softsign Tanh'
)


def classify(
    trace: Trace,
    producers: Sequence[Kernel],
    consumers: Sequence[Kernel],
    is_part: bool = False,
) -> str:
    """The kind of a group, from the layers that make and read its channels.

    Args:
      trace: of the graph that the layers are in.
      producers: layers that make the channels, depthwise ones included.
      consumers: layers that read them, depthwise ones excluded.
      is_part: whether such a layer reads other channels, too.
    """
    own = [k for k in producers if not k.depthwise]
    if _is_squeeze_excite(trace, own, consumers):
        return SQUEEZE_EXCITE
    if _is_inverted_residual(trace, producers, consumers):
        return INVERTED_RESIDUAL
    if len(own) > 1:
        return RESIDUAL
    if is_part:
        return CONCAT
    if own and all(kernel.op == 'MatMul' for kernel in own):
        return DENSE
    return PLAIN


def _is_squeeze_excite(
    trace: Trace, producers: Sequence[Kernel], consumers: Sequence[Kernel]
) -> bool:
    if not producers or not consumers:
        return False
    view = trace.model.view()
    pooled = {pooled_tensor(view, kernel) for kernel in producers}
    # Checked first: a search for gates may walk along the whole network.
    if None in pooled:
        return False
    return pooled == {gated_tensor(trace, kernel) for kernel in consumers}


def _is_inverted_residual(
    trace: Trace, producers: Sequence[Kernel], consumers: Sequence[Kernel]
) -> bool:
    if not any(kernel.depthwise for kernel in producers):
        return False
    expansions = [
        k for k in producers if not k.depthwise and gated_tensor(trace, k) is None
    ]
    view = trace.model.view()
    projections = [k for k in consumers if pooled_tensor(view, k) is None]
    if not expansions or not projections:
        return False
    pointwise = all(k.op == 'Conv2D' and k.taps == 1 for k in expansions + projections)
    return pointwise and all(_is_linear(trace, k.node) for k in projections)


def pooled_tensor(view: view_lib.GraphView, kernel: Kernel) -> Optional[str]:
    """The node whose global average a layer reads, or None."""
    node = view.behind_reads(view.inputs(view.node(kernel.node))[0], _HAND_ON)
    if node.op == 'Mean' or (node.op == 'AvgPool' and _is_global(view, node)):
        return view.behind_reads(view.inputs(node)[0], _HAND_ON).name
    return None


def _is_global(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    shape = view.shape(names.TensorRef(node.name, 0)) or ()
    return sum(size == 1 for size in shape[1:]) >= 2


def gated_tensor(trace: Trace, kernel: Kernel) -> Optional[str]:
    """The node that a layer's output multiplies as a gate, or None.

    A product of the layer's output with a function of itself is an activation (swish,
    hard swish), not a gate.
    """
    view = trace.model.view()
    factors: List[str] = []

    def passes(edge: view_lib.Edge) -> bool:
        node = edge.node
        if node.op == 'Mul':
            other = view.inputs(node)[1 - edge.position]
            if other.name not in trace.independent:
                factors.append(view.behind_reads(other, _HAND_ON).name)
                return False
        return node.op in _GATE_PATH or node.op in _ACTIVATIONS

    def behind(name: str) -> List[str]:
        return [edge.node.name for edge in view.consumers(name) if passes(edge)]

    own = set(walk.reached([kernel.node], behind))
    return next((name for name in factors if name not in own), None)


def _is_linear(trace: Trace, name: str) -> bool:
    """Whether no activation follows a layer before the next op that mixes values."""
    view = trace.model.view()

    def is_affine(edge: view_lib.Edge) -> bool:
        return edge.node.op in _AFFINE or _takes_parameter(trace, edge.node)

    edges = view.edges_behind([name], is_affine)
    return not any(
        edge.node.op in _ACTIVATIONS and not _takes_parameter(trace, edge.node)
        for edge in edges
    )


def _takes_parameter(trace: Trace, node: tf.NodeDef) -> bool:
    """Whether a node adds or multiplies what does not depend on the input."""
    if node.op not in ('Add', 'AddV2', 'Mul', 'Sub'):
        return False
    refs = trace.model.view().refs(node)
    return any(ref.node in trace.independent for ref in refs)
