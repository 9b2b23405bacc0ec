"""Recognizes dropout by data flow.

TF 1.15 writes `x * (1 / (1 - rate)) * cast(random >= rate)`; TF up to 1.12 writes
`x / keep_prob * floor(random + keep_prob)`. In both, the last Mul has one side that
holds a random op and does not depend on the other.
"""

from __future__ import annotations

from typing import List, Optional, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

_MASK_PATH = frozenset(
    ('Cast', 'GreaterEqual', 'Floor', 'Add', 'AddV2', 'Sub', 'Mul', 'Identity')
)
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
            return _unscaled(view, scaled)
    return None


def _is_mask(view: view_lib.GraphView, ref: TensorRef) -> bool:
    """Whether a tensor is cast(random >= rate) or floor(random + keep_prob)."""
    if view.node(ref.node).op not in ('Cast', 'Floor'):
        return False
    seen: Set[str] = set()
    stack: List[str] = [ref.node]
    while stack:
        node = view.node(stack.pop())
        if node.op == _RANDOM:
            return True
        if node.op in _MASK_PATH and node.name not in seen:
            seen.add(node.name)
            stack += [names.node_name(i) for i in node.input]
    return False


def _unscaled(view: view_lib.GraphView, ref: TensorRef) -> TensorRef:
    """What was scaled by 1 / (1 - rate), or the tensor itself if nothing was."""
    node = view.node(ref.node)
    if node.op not in _SCALE_OPS:
        return ref
    x, scale = view_lib.data_inputs(node)
    if view.shape(scale) == ():
        return x
    if node.op == 'Mul' and view.shape(x) == ():
        return scale
    return ref
