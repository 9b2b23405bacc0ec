"""Recognizes dropout by data flow.

TF 1.15 writes `x * (1 / (1 - rate)) * cast(random >= rate)`; TF up to 1.12 writes
`x / keep_prob * floor(random + keep_prob)`. In both, the last Mul has one side that
holds a random op and does not depend on the other.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Optional

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.nodes import INPUT_OPS
from tf1pruning.names import TensorRef

_MASK_PATH = frozenset(
    ('Cast', 'GreaterEqual', 'Floor', 'Add', 'AddV2', 'Sub', 'Mul', 'Identity')
)
_RATE_PATH = frozenset(('Sub', 'RealDiv', 'Reciprocal', 'Identity', 'Cast'))
_SCALE_OPS = ('Mul', 'RealDiv')
_RANDOM = 'RandomUniform'


def input_without_dropout(
    view: view_lib.GraphView, node: tf.NodeDef
) -> Optional[TensorRef]:
    """The tensor that enters the dropout which `node` ends, or None if it ends none."""
    if node.op != 'Mul':
        return None
    refs = view_lib.data_inputs(node)
    for mask, scaled in (refs[::-1], refs):
        if _is_mask(view, mask):
            return _unscaled(view, scaled, mask)
    return None


def _is_mask(view: view_lib.GraphView, ref: TensorRef) -> bool:
    """Whether a tensor is cast(random >= rate) or floor(random + keep_prob)."""
    if view.node(ref.node).op not in ('Cast', 'Floor'):
        return False
    return any(node.op == _RANDOM for node in _behind(view, ref, _MASK_PATH))


def _behind(
    view: view_lib.GraphView, ref: TensorRef, path: FrozenSet[str]
) -> List[tf.NodeDef]:
    """The nodes that a tensor is made of by ops of some types, with what they read."""
    found: Dict[str, tf.NodeDef] = {}
    stack: List[str] = [ref.node]
    while stack:
        node = view.node(stack.pop())
        if node.name not in found:
            found[node.name] = node
            if node.op in path:
                stack += [names.node_name(i) for i in node.input]
    return list(found.values())


def _unscaled(view: view_lib.GraphView, ref: TensorRef, mask: TensorRef) -> TensorRef:
    """What was scaled by 1 / (1 - rate), or the tensor itself if nothing was."""
    node = view.node(ref.node)
    if node.op not in _SCALE_OPS:
        return ref
    x, scale = view_lib.data_inputs(node)
    if _is_scale(view, scale, mask):
        return x
    if node.op == 'Mul' and _is_scale(view, x, mask):
        return scale
    return ref


def _is_scale(view: view_lib.GraphView, ref: TensorRef, mask: TensorRef) -> bool:
    """Whether a tensor is one number, or made of the placeholder of the mask."""
    shape = view.shape(ref)
    if shape is not None:
        return shape == ()
    rates = {n.name for n in _behind(view, mask, _MASK_PATH) if n.op in INPUT_OPS}
    return any(n.name in rates for n in _behind(view, ref, _RATE_PATH))
