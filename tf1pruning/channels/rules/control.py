"""Branches and loops of TensorFlow 1's control flow, and the tensors that loops read.

A value that a loop changes has no channels. What only enters it (weights, the input of
a recurrent network) is followed inside.
"""

from __future__ import annotations

import functools
from typing import Tuple

import numpy as np

from tf1pruning.channels import families, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.rules import sizes
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import (
    Activation,
    Constant,
    Elements,
    Size,
    Sizes,
    Value,
)


@RULES.register_family(families.ENTRIES)
def enter(op: Op) -> Value:
    """Hands its input on into a loop."""
    return _inside(op)


@RULES.register('Switch', attributes='T')
def switch(op: Op) -> Tuple[Value, Value]:
    """Hands its input on into both branches."""
    value = _inside(op)
    return value, value


def _inside(op: Op) -> Value:
    """The input; whole numbers lose their constant, which stands outside."""
    value = op.inputs[0]
    found = sizes.sizes_of(op, 0) if isinstance(value, Constant) else None
    if found is None:
        return value
    items = [Size(static=item.now) for item in found.items]
    return Sizes(np.array(items, object).reshape(found.array.shape))


@RULES.register('Merge', attributes='T N')
def merge(op: Op) -> Tuple[Activation, Activation]:
    """Unifies what the branches give."""
    if any(source.op == 'NextIteration' for source in op.sources()):
        raise Unsupported('a value that a loop changes')
    parts = [op.activation(position).labels for position in range(len(op.inputs))]
    join = functools.partial(op.join, reason='is merged with fixed channels')
    labels = functools.reduce(join, parts)
    return Activation(op.shape(), labels), values.fixed(())


@RULES.register('NextIteration', attributes='T')
def next_iteration(op: Op) -> Activation:
    """Ends a turn; the next one begins with a value that is not followed."""
    op.freeze_value(op.inputs[0], 'goes into the next turn of a loop')
    return values.fixed(op.shape())


@RULES.register('Exit', 'LoopCond', attributes='T')
def leave(op: Op) -> Activation:
    """Gives a value that a loop changed."""
    op.freeze_value(op.inputs[0], 'leaves a loop')
    return values.fixed(op.shape())


@RULES.register(
    'TensorArrayV3',
    attributes='dtype element_shape dynamic_size clear_after_read '
    'identical_element_shapes tensor_array_name',
)
def tensor_array(op: Op) -> Tuple[Activation, Activation]:
    """An empty list of tensors."""
    op.freeze_value(op.inputs[0], 'has its size used as a number')
    return values.fixed((2,)), values.fixed(())


@RULES.register('TensorArrayScatterV3', attributes='T')
def scatter(op: Op) -> Elements:
    """Takes a tensor apart along its first axis, into a list that was empty."""
    x, (array, *_, flow) = op.activation(2), op.sources()
    if x.varies(0):
        raise Unsupported('channels taken apart one by one')
    if array is not flow or array.op != 'TensorArrayV3':
        raise Unsupported('a list that is not new')
    op.states_shape(array.name, 'element_shape', x.labels)
    return Elements(Activation(x.shape[1:], x.labels[0]))


@RULES.register('TensorArrayReadV3', attributes='dtype')
def read(op: Op) -> Activation:
    """Gives an element; without channels, if the list was filled step by step."""
    found = op.inputs[2]
    if isinstance(found, Elements):
        return Activation(op.shape(), found.element.labels)
    return values.fixed(op.shape())


@RULES.register('TensorArrayGatherV3', attributes='dtype element_shape')
def gather(op: Op) -> Activation:
    """Joins elements along a new first axis."""
    found = op.inputs[2]
    if not isinstance(found, Elements):
        return values.fixed(op.shape())
    op.states_shape(op.name, 'element_shape', found.element.labels)
    return Activation(op.shape(), found.element.labels[np.newaxis])


@RULES.register('TensorArrayWriteV3', attributes='T')
def write(op: Op) -> Activation:
    """Puts an element into a list step by step."""
    for value in op.inputs:
        op.freeze_value(value, 'is put into a list step by step')
    return values.fixed(())


@RULES.register('TensorArraySizeV3', attributes='')
def size(op: Op) -> Sizes:
    """The number of elements."""
    return Sizes(Size())
