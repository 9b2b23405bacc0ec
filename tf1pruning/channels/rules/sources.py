"""Placeholders, variables and constants, and ops that hand values on."""

from __future__ import annotations

from typing import Tuple

from tf1pruning.channels import families, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation, Constant, Value, Weight
from tf1pruning.graph import view as view_lib


@RULES.register('Placeholder', attributes='dtype shape')
def placeholder(op: Op) -> Activation:
    """A model input: its channels are fixed."""
    return values.fixed(op.shape())


@RULES.register('PlaceholderWithDefault', attributes='dtype shape')
def placeholder_with_default(op: Op) -> Activation:
    """A model input; what its default was computed from is frozen."""
    op.tracer.freeze_value(op.inputs[0], f'is the default of input {op.name!r}')
    return values.fixed(op.shape())


@RULES.register(
    'VariableV2',
    'Variable',
    'VarHandleOp',
    attributes='dtype shape container shared_name',
)
def variable(op: Op) -> Weight:
    """A variable, or the handle of one."""
    shape = view_lib.shape_from_proto(op.attr('shape').shape)
    if shape is None or None in shape:
        raise Unsupported('a variable of unknown shape')
    return op.tracer.make_weight(op.name, tuple(size or 0 for size in shape))


@RULES.register('Const', attributes='dtype value')
def const(op: Op) -> Constant:
    """A constant; the op that reads it tells what it is."""
    return Constant(op.node)


@RULES.register_family(families.HAND_ON)
def identity(op: Op) -> Value:
    """Hands its input on, a weight as a weight."""
    return op.inputs[0]


@RULES.register('IdentityN', attributes='T')
def identity_n(op: Op) -> Tuple[Value, ...]:
    """Hands all inputs on; `tf.nn.swish` ends in one, for its own gradient."""
    return tuple(op.inputs)
