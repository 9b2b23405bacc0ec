"""Recognizes dropout by data flow.

TF 1.15 writes `x * (1 / (1 - rate)) * cast(random >= rate)`; TF up to 1.12 writes
`x / keep_prob * floor(random + keep_prob)`, with older ops for the division; TF 2
writes `where(random >= rate, x * (1 / (1 - rate)), 0)`. In all of them the expected
value is `x`: the mask is 1 with the probability by which `x` is divided.
That is checked, on constants or on the same tensor; a mask whose scale is another one,
or missing, is no dropout.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

_LINEAR = ('Add', 'AddV2', 'Mul', 'Sub')
_SAME_OPS = ('Identity', 'StopGradient')
_SELECTS = ('Select', 'SelectV2')
_RANDOM = 'RandomUniform'
_AT_LEAST = ('GreaterEqual', 'Greater')
_AT_MOST = ('LessEqual', 'Less')
_ONE = TensorRef('', 0)
# Of products of constants that were rounded to their type.
_ROUNDING = {tf.float16: 4e-3, tf.bfloat16: 3e-2}
_FLOAT_ROUNDING = 1e-6

# Sum of tensors times numbers: tensor -> number; `_ONE` stands for 1.
Sum = Dict[TensorRef, float]


class Dropout(NamedTuple):
    """A dropout.

    Attributes:
      input: the tensor that enters it.
      off: placeholder -> the number with which it does nothing; empty if none has it.
    """

    input: TensorRef
    off: Dict[str, float]


def ending_in(view: view_lib.GraphView, node: tf.NodeDef) -> Optional[Dropout]:
    """The dropout which `node` ends, or None if it ends none."""
    if node.op not in ('Mul', *_SELECTS):
        return None
    dtype = tf.as_dtype(view_lib.attribute(node, 'T').type)
    rounding = _ROUNDING.get(dtype, _FLOAT_ROUNDING)
    for mask, scaled in _masked(view, node):
        keep = _keep_probability(view, mask)
        if keep is not None:
            found = _unscaled(view, scaled, keep, rounding)
            made = view.shape(TensorRef(node.name, 0))
            # Else the mask broadcasts it.
            if found is not None and view_lib.agree(view.shape(found), made):
                return Dropout(found, _off(view, keep))
    return None


def _masked(
    view: view_lib.GraphView, node: tf.NodeDef
) -> List[Tuple[TensorRef, TensorRef]]:
    """What may be a mask in a product or a selection, and what it is for."""
    refs = view_lib.data_inputs(node)
    if node.op == 'Mul':
        return [(refs[1], refs[0]), (refs[0], refs[1])]
    mask, scaled, other = refs
    return [] if any(_sum(view, other).values()) else [(mask, scaled)]


def _off(view: view_lib.GraphView, keep: Sum) -> Dict[str, float]:
    """The number in a placeholder with which everything is kept."""
    refs = [ref for ref in keep if ref != _ONE]
    if len(refs) != 1 or view.node(refs[0].node).op not in nodes.INPUT_OPS:
        return {}
    return {refs[0].node: (1.0 - keep.get(_ONE, 0.0)) / keep[refs[0]]}


def _keep_probability(view: view_lib.GraphView, ref: TensorRef) -> Optional[Sum]:
    """How likely a mask is 1: random >= rate, or floor(random + keep_prob)."""
    node = view.node(ref.node)
    if node.op == 'Floor':
        # The sum is random + keep_prob; it is at least 1 in `keep_prob` of all cases.
        return _likely(view, _sum(view, view_lib.data_inputs(node)[0]), -1.0)
    compared = view.inputs(node)[0] if node.op == 'Cast' else node
    if compared.op not in (*_AT_LEAST, *_AT_MOST):
        return None
    left, right = (_sum(view, each) for each in view_lib.data_inputs(compared))
    if compared.op in _AT_MOST:
        left, right = right, left
    return _likely(view, _plus(left, right, -1.0), 0.0)


def _likely(view: view_lib.GraphView, terms: Sum, shift: float) -> Optional[Sum]:
    """How likely a sum with one random number in [0, 1), plus `shift`, is positive."""
    random = [ref for ref in terms if ref != _ONE and view.node(ref.node).op == _RANDOM]
    if len(random) != 1 or abs(terms[random[0]]) != 1.0:
        return None
    rest = {ref: factor for ref, factor in terms.items() if ref != random[0]}
    rest = _plus(rest, {_ONE: shift})
    return _plus(rest, {_ONE: 1.0}) if terms[random[0]] > 0 else rest


def _unscaled(
    view: view_lib.GraphView, ref: TensorRef, keep: Sum, rounding: float
) -> Optional[TensorRef]:
    """What was divided by a keep probability; None if that cannot be shown."""
    node = view.node(ref.node)
    if node.op in nodes.DIVISIONS:
        x, divisor = view_lib.data_inputs(node)
        if _is_same(_sum(view, divisor), keep, rounding):
            return x
    if node.op == 'Mul':
        x, scale = view_lib.data_inputs(node)
        for kept, factor in ((x, scale), (scale, x)):
            if _is_inverse(view, factor, keep, rounding):
                return kept
    return ref if _is_same(keep, {_ONE: 1.0}, rounding) else None


def _is_inverse(
    view: view_lib.GraphView, ref: TensorRef, keep: Sum, rounding: float
) -> bool:
    """Whether a tensor is 1 / keep."""
    node = view.node(ref.node)
    while _is_passed_on(node):
        ref = view.refs(node)[0]
        node = view.node(ref.node)
    if node.op in nodes.DIVISIONS:
        one, divisor = (_sum(view, each) for each in view_lib.data_inputs(node))
        return one == {_ONE: 1.0} and _is_same(divisor, keep, rounding)
    if node.op in ('Reciprocal', 'Inv'):
        return _is_same(_sum(view, view_lib.data_inputs(node)[0]), keep, rounding)
    scale = _sum(view, ref)
    if set(scale) != {_ONE} or set(keep) != {_ONE}:
        return False
    return abs(scale[_ONE] * keep[_ONE] - 1.0) <= rounding


def _sum(view: view_lib.GraphView, ref: TensorRef) -> Sum:
    """A tensor as a sum; one that is made otherwise is itself the only summand."""
    sums: Dict[TensorRef, Sum] = {}
    for each in walk.leaves_first([ref], lambda ref: _terms(view, ref)):
        inputs = [sums.get(term, {term: 1.0}) for term in _terms(view, each)]
        sums[each] = _combined(each, view.node(each.node), inputs)
    return sums[ref]


def _terms(view: view_lib.GraphView, ref: TensorRef) -> Sequence[TensorRef]:
    """The inputs that a tensor may be a sum of."""
    node = view.node(ref.node)
    return view.refs(node) if node.op in _LINEAR or _is_passed_on(node) else ()


def _combined(ref: TensorRef, node: tf.NodeDef, inputs: Sequence[Sum]) -> Sum:
    """A tensor as a sum, from its inputs as sums."""
    if node.op == 'Const':
        value = nodes.constant_value(node)
        is_number = value.size == 1 and np.issubdtype(value.dtype, np.number)
        return {_ONE: float(value.item())} if is_number else {ref: 1.0}
    if node.op in ('Add', 'AddV2', 'Sub'):
        left, right = inputs
        return _plus(left, right, -1.0 if node.op == 'Sub' else 1.0)
    if node.op == 'Mul':
        for factor, other in (inputs, inputs[::-1]):
            if set(factor) <= {_ONE}:
                return _plus({}, other, factor.get(_ONE, 0.0))
        return {ref: 1.0}
    return inputs[0] if inputs else {ref: 1.0}


def _is_passed_on(node: tf.NodeDef) -> bool:
    """Whether a node gives its input, but for rounding."""
    if node.op != 'Cast':
        return node.op in _SAME_OPS
    return all(
        tf.as_dtype(view_lib.attribute(node, key).type).is_floating
        for key in ('SrcT', 'DstT')
    )


def _plus(left: Sum, right: Sum, factor: float = 1.0) -> Sum:
    """Left + factor * right, without summands that vanish."""
    result = {
        ref: left.get(ref, 0.0) + factor * right.get(ref, 0.0)
        for ref in {**left, **right}
    }
    return {ref: value for ref, value in result.items() if value != 0.0}


def _is_same(left: Sum, right: Sum, rounding: float) -> bool:
    return all(abs(value) <= rounding for value in _plus(left, right, -1.0).values())
